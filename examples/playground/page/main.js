// The page: the controls, and the worker that runs programs.

import { Arenas } from './arenas.js';
import { Editor } from './editor.js';
import { bytes, element, time } from './format.js';
import { Inspector } from './inspector.js';
import { groups } from './programs.js';
import { Timeline } from './timeline.js';

const at = (id) => document.getElementById(id);
const [run, stop, collect, status, output, failure, programs] =
  ['run', 'stop', 'collect', 'status', 'output', 'failure', 'programs'].map(at);

const editor = new Editor(at('source'), at('gutter'), at('mark'));
const timeline = new Timeline(at('timeline'), at('totals'));
const inspector = new Inspector(at('inspector'), (request) => worker.postMessage({ request }));
const arenas = new Arenas(at('arenas'), (kind) => inspector.go('objects', kind, '0'));

const module = WebAssembly.compileStreaming(fetch('playground.wasm'));
let worker;
/** `loading`, `ready`, `running` or `ended`: then the heap can be looked at. */
let state;
let started;

function become(next, text) {
  state = next;
  status.textContent = text;
  run.disabled = state === 'loading' || state === 'running';
  stop.disabled = state !== 'running';
  collect.disabled = state !== 'ended';
  arenas.enabled = state === 'ended';
  document.body.dataset.state = state;
}

/** Starts a worker, which has a heap of its own. Resolves when it is ready. */
async function renew() {
  worker?.terminate();
  const made = new Worker('worker.js', { type: 'module' });
  worker = made;
  const ready = new Promise((resolve) => {
    made.addEventListener('message', ({ data }) => {
      // What a worker had sent before it was ended is of no interest.
      if (made !== worker) return;
      if (data.type === 'ready') resolve();
      else receivers[data.type]?.(data);
    });
  });
  made.postMessage({ module: await module });
  await ready;
}

async function start() {
  if (run.disabled) return;
  const isUsed = state === 'ended';
  become('running', 'Running …');
  output.textContent = '';
  failure.replaceChildren();
  editor.unmark();
  timeline.clear();
  inspector.close('The program is running.');
  started = performance.now();
  if (isUsed) await renew();
  if (state !== 'running') return;
  worker.postMessage({ request: ['run', at('limit').value, editor.text], input: at('input').value });
}

async function end() {
  const ran = time((performance.now() - started) * 1000);
  become('loading', `Stopped after ${ran}.`);
  inspector.close('The program was stopped, and its heap went with its worker.');
  await renew();
  become('ready', `Stopped after ${ran}.`);
}

function ended(how) {
  become('ended', `${how} after ${time((performance.now() - started) * 1000)}.`);
  inspector.open();
}

function fail({ message, line, column, length, calls, depth }) {
  const goto = (text, place) => element('button', {
    type: 'button',
    class: 'link',
    onclick: () => editor.select(place.line, place.column, place.length ?? 1),
  }, text);
  const place = ({ line, column }) => `line ${line}, column ${column}`;
  const trace = calls.map((call) => element('li', {}, `in ${call.function}, called at `, goto(place(call), call)));
  if (depth > calls.length) trace.push(element('li', {}, `${depth - calls.length} more calls`));
  failure.replaceChildren(
    element('p', {}, goto(`Line ${line}, column ${column}`, { line, column, length }), `: ${message}`),
    ...(trace.length ? [element('ul', {}, ...trace)] : []),
  );
  editor.mark(line);
}

/** What the worker sends, by type. */
const receivers = {
  output: ({ text }) => {
    const isAtEnd = output.scrollTop + output.clientHeight >= output.scrollHeight - 8;
    output.append(text);
    if (isAtEnd) output.scrollTop = output.scrollHeight;
  },
  cut: (message) => output.append(`… and ${bytes(message.bytes)} more, which are not shown\n`),
  sample: (sample) => {
    arenas.show(sample.arenas);
    timeline.show(sample);
  },
  done: () => ended('Finished'),
  failure: (message) => {
    fail(message);
    ended('Failed');
  },
  trap: async ({ message }) => {
    failure.replaceChildren(element('p', {}, `The browser has ended the program: ${message}`));
    inspector.close('The browser has ended the program, and its heap with it.');
    become('loading', 'Failed.');
    await renew();
    become('ready', 'Failed.');
  },
};
for (const type of ['roots', 'objects', 'object', 'why', 'gone']) {
  receivers[type] = (reply) => inspector.show(reply);
}

async function text(file) {
  const reply = await fetch(`programs/${file}`);
  return reply.ok ? reply.text() : `// ${file}: ${reply.statusText}\n`;
}

async function load({ file, input }) {
  editor.text = await text(file);
  at('input').value = input ? await text(input) : '';
  at('input').closest('details').open = Boolean(input);
}

const chosen = () => groups.flatMap((group) => group.programs).find(({ file }) => file === programs.value);

for (const { title, programs: listed } of groups) {
  const options = listed.map(({ file, title }) => element('option', { value: file }, title));
  programs.append(element('optgroup', { label: title }, ...options));
}
programs.addEventListener('change', () => load(chosen()));
at('controls').addEventListener('submit', (event) => {
  event.preventDefault();
  start();
});
at('source').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    start();
  }
});
stop.addEventListener('click', end);
collect.addEventListener('click', () => {
  worker.postMessage({ request: ['collect'] });
  inspector.refresh();
});

become('loading', 'Loading …');
await Promise.all([renew(), load(chosen())]);
become('ready', 'Ready.');
