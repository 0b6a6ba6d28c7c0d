#!/usr/bin/env bash
# Runs the self-check as Wasm in Node.js: a module without a host on wasm32-unknown-unknown, a program
# on wasm32-wasip1. Checks where seeds come from on both.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export CARGO_TARGET_DIR=$PWD/target/wasm CARGO_INCREMENTAL=0

for target in wasm32-unknown-unknown wasm32-wasip1; do
    rustup target list --installed | grep -qx "$target" || rustup target add "$target"
done

build() {
    cargo build --quiet --release --package segheap-self-check "$@"
}

# The module checks itself; entropy comes from the host where the program asks for it.
cat >"$scratch/module.mjs" <<'JS'
import { readFileSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
const [, , file, entropy] = process.argv;
let memory;
const host = {
  entropy: (address, len) => {
    randomFillSync(new Uint8Array(memory.buffer, address, len));
    return 0;
  },
};
const module = new WebAssembly.Module(readFileSync(file));
const { exports } = new WebAssembly.Instance(module, { host });
memory = exports.memory;
const line = exports.self_check();
if (line !== 0) {
  const text = new Uint8Array(memory.buffer, exports.report_address(), exports.report_len());
  console.error(new TextDecoder().decode(text));
  throw new Error(`line ${line} is not as expected`);
}
if (entropy) {
  const hashes = [exports.random_hash(), exports.random_hash()];
  if (hashes[0] < 0n || hashes[0] === hashes[1]) throw new Error(`hashes ${hashes}`);
}
JS

cat >"$scratch/program.mjs" <<'JS'
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';
const [, , file, ...args] = process.argv;
const wasi = new WASI({ version: 'preview1', args: ['self-check', ...args], returnOnExit: true });
const module = new WebAssembly.Module(readFileSync(file));
process.exitCode = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()));
JS

build --lib --target wasm32-unknown-unknown
node "$scratch/module.mjs" "$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/segheap_self_check.wasm"
echo 'wasm32-unknown-unknown: the report is as expected'

RUSTFLAGS='--cfg getrandom_backend="custom"' \
    build --lib --target wasm32-unknown-unknown --features getrandom
node "$scratch/module.mjs" "$CARGO_TARGET_DIR/wasm32-unknown-unknown/release/segheap_self_check.wasm" entropy
echo 'wasm32-unknown-unknown: getrandom gives each heap seeds of its own'

build --bin self-check --target wasm32-wasip1 --features getrandom
program=$CARGO_TARGET_DIR/wasm32-wasip1/release/self-check.wasm
node --no-warnings "$scratch/program.mjs" "$program" >/dev/null
echo 'wasm32-wasip1: the report is as expected'
node --no-warnings "$scratch/program.mjs" "$program" hashes >"$scratch/hashes"
[[ $(wc -l <"$scratch/hashes") -eq 4 && $(sort -u "$scratch/hashes" | wc -l) -eq 4 ]]
echo 'wasm32-wasip1: four heaps with random seeds hash a text in four ways'

# Without entropy, nothing pretends to be random.
mkdir -p "$scratch/pretends/src"
cat >"$scratch/pretends/Cargo.toml" <<TOML
[package]
name = "pretends"
version = "0.0.0"
edition = "2024"
[dependencies]
segheap = { path = "$PWD" }
[workspace]
TOML
echo 'pub fn heap() -> segheap::Heap { segheap::Heap::new() }' >"$scratch/pretends/src/lib.rs"
cp Cargo.lock "$scratch/pretends/"
if cargo check --quiet --offline --manifest-path "$scratch/pretends/Cargo.toml" \
    --target wasm32-unknown-unknown 2>"$scratch/errors"; then
    echo 'Heap::new exists on wasm32-unknown-unknown'
    exit 1
fi
grep -q 'no associated function or constant named `new`\|no function or associated item named `new`' "$scratch/errors"
echo 'wasm32-unknown-unknown: Heap::new does not exist'
