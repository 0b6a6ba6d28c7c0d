// Replays calls in V8, and writes the memories that they leave.
// node v8.mjs MODULE FUNCTIONS CALLS MEMORIES
import { readFileSync, writeFileSync } from "node:fs";

const [modulePath, functionsPath, callsPath, memories] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(modulePath));
const { exports } = new WebAssembly.Instance(module, {});
const functions = readFileSync(functionsPath, "utf8").trimEnd().split("\n").map((line) => {
  const [name, parameters, result] = line.split(" ");
  return { name, call: exports[name], parameters, result: result ?? "" };
});

const bits = new DataView(new ArrayBuffer(8));
function argument(word, type) {
  if (type === "I") return word;
  if (type === "i") return Number(BigInt.asIntN(32, word));
  bits.setBigInt64(0, word);
  return bits.getFloat64(0);
}
function word(value, type) {
  if (type === "I") return value;
  if (type === "i") return BigInt(value >>> 0);
  bits.setFloat64(0, value);
  return bits.getBigInt64(0);
}

const file = readFileSync(callsPath);
const words = new BigInt64Array(file.buffer, file.byteOffset, file.byteLength / 8);
const WORDS = 8;
let wrong = 0;
for (let at = 0; at < words.length; at += WORDS) {
  const { name, call, parameters, result } = functions[Number(words[at])];
  const given = Array.from(parameters, (type, n) => argument(words[at + 1 + n], type));
  const found = [call(...given)].flat();
  const expected = Number(words[at + 6]);
  const value = expected === 0 && result !== "" ? word(found[1], result) : 0n;
  if (found[0] !== expected || value !== words[at + 7]) {
    wrong += 1;
    if (wrong <= 5) console.error(`call ${at / WORDS}: ${name}(${given}): ${found}, not ${expected} ${words[at + 7]}`);
  }
}
Object.entries(exports)
  .filter(([, value]) => value instanceof WebAssembly.Memory)
  .forEach(([name, memory]) => writeFileSync(`${memories}/${name}`, new Uint8Array(memory.buffer)));
console.log(`V8 ${process.versions.v8}: ${words.length / WORDS} calls, ${wrong} other than the heap's`);
process.exitCode = wrong === 0 ? 0 : 1;
