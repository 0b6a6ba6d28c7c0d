// Runs the module. The page sends the compiled module first, then requests; it ends this worker to
// stop a program.

import { Process } from './wasi.js';

let errors = [];
const process = new Process((line) => postMessage(JSON.parse(line)), (line) => errors.push(line));
let exports;

addEventListener('message', async ({ data: { module, request, input } }) => {
  if (module) {
    exports = await process.start(module);
    postMessage({ type: 'ready' });
    return;
  }
  process.arguments = request;
  process.input = input ?? '';
  errors = [];
  try {
    exports.request();
  } catch (error) {
    // The stack of the browser is exhausted, or its memory; or the module has a bug.
    postMessage({ type: 'trap', message: [error.message, ...errors].join(': ') });
  }
});
