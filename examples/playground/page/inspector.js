// The object inspector: roots, the objects of an arena, an object and its elements, and why it is alive.

import { bytes, element, number } from './format.js';

const PAGE = 50;

export class Inspector {
  #box;
  #ask;
  /** The requests that led here; the last one is shown. */
  #trail = [];

  /** `ask` sends a request, whose reply is passed to `show`. */
  constructor(box, ask) {
    this.#box = box;
    this.#ask = ask;
  }

  /** Closes it, with a text. */
  close(text) {
    this.#trail = [];
    this.#box.replaceChildren(element('p', {}, text));
  }

  /** Shows the roots of a program that has ended. */
  open() {
    this.#trail = [];
    this.go('roots');
  }

  /** Shows the reply to a request, and remembers how it was reached. */
  go(...request) {
    this.#trail.push(request);
    this.#ask(request);
  }

  /** Asks again: the heap has changed. */
  refresh() {
    if (this.#trail.length) this.#ask(this.#trail.at(-1));
  }

  #back() {
    this.#trail.pop();
    this.refresh();
  }

  show(reply) {
    const had = this.#box.contains(document.activeElement);
    const [heading, ...content] = this[`_${reply.type}`](reply);
    const title = element('h3', { tabindex: '-1' }, heading);
    const back = element('button', { type: 'button', onclick: () => this.#back() }, 'Back');
    const roots = element('button', { type: 'button', onclick: () => this.open() }, 'Roots');
    const nav = element('p', { class: 'nav' }, ...(this.#trail.length > 1 ? [back, roots] : []));
    this.#box.replaceChildren(nav, title, ...content);
    // The button that had the focus is gone.
    if (had) title.focus();
  }

  _roots({ entries }) {
    if (!entries.length) return ['Roots', element('p', {}, 'No variable and no constant refers to an object.')];
    return ['Roots: what keeps objects alive', this.#table('Place', entries)];
  }

  _objects({ kind, from, total, entries }) {
    const pages = this.#pages(from, total, (start) => ['objects', kind, String(start)]);
    return [`${number(total)} live objects of kind ${kind}`, this.#table('Object', entries), pages];
  }

  _object({ cell, label, text, shallow, retained, from, total, entries }) {
    const facts = `${bytes(shallow)} by itself, ${bytes(retained)} with what only it keeps alive.`;
    const why = element('button', { type: 'button', class: 'why', onclick: () => this.go('why', cell) }, 'Why is this alive?');
    const shown = entries.length ? [this.#table('Element', entries)] : [];
    const pages = this.#pages(from, total, (start) => ['object', cell, String(start)]);
    return [label, element('pre', { class: 'value' }, text), element('p', {}, facts), element('p', {}, why), ...shown, pages];
  }

  _why({ label, path }) {
    const heading = `Why ${label} is alive`;
    if (!path.length) return [heading, element('p', {}, 'It is not: nothing reaches it. The next collection of the whole heap frees it.')];
    const steps = path.map((step, n) => {
      const place = n ? `in ${path[n - 1].label}: ${step.name}` : `root: ${step.name}`;
      return element('li', {}, `${place} → `, this.#link(step), element('code', {}, step.text));
    });
    return [heading, element('ol', { class: 'path' }, ...steps)];
  }

  _gone({ message }) {
    return ['The object is gone', element('p', {}, `A handle of it fails: ${message}.`)];
  }

  #link({ cell, label }) {
    return element('button', { type: 'button', class: 'link', onclick: () => this.go('object', cell, '0') }, label);
  }

  #table(heading, entries) {
    const rows = entries.map((entry) => {
      const link = entry.cell ? [this.#link(entry), ' '] : [];
      const value = element('td', {}, ...link, element('code', {}, entry.text));
      return element('tr', {}, element('th', { scope: 'row' }, entry.name), value);
    });
    const head = element('tr', {}, element('th', { scope: 'col' }, heading), element('th', { scope: 'col' }, 'Value'));
    const table = element('table', { class: 'entries' }, element('thead', {}, head), element('tbody', {}, ...rows));
    return element('div', { class: 'scroll' }, table);
  }

  #pages(from, total, request) {
    const to = Math.min(from + PAGE, total);
    if (from === 0 && to === total) return element('span');
    const page = (text, start, enabled) => element('button', {
      type: 'button',
      disabled: !enabled,
      onclick: () => {
        this.#trail.pop();
        this.go(...request(start));
      },
    }, text);
    return element('p', { class: 'nav' },
      page('Previous', Math.max(0, from - PAGE), from > 0),
      page('Next', from + PAGE, to < total),
      `${number(from + 1)} to ${number(to)} of ${number(total)}`);
  }
}
