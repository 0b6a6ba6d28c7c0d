// The arenas: a row for each, with a map of its memory.

import { bytes, element, number, picture } from './format.js';

export class Arenas {
  #body;
  #rows = new Map();
  #open;

  /** `open` is called with the kind whose objects are to be listed. */
  constructor(table, open) {
    this.#body = table.tBodies[0];
    this.#open = open;
  }

  /** Whether objects can be listed. */
  set enabled(enabled) {
    for (const { button } of this.#rows.values()) button.disabled = !enabled;
  }

  show(arenas) {
    for (const arena of arenas) {
      const row = this.#rows.get(arena.kind) ?? this.#row(arena.kind);
      const { pages, live, free, gaps, payload, bins } = arena;
      const share = gaps + payload ? Math.round((100 * gaps) / (gaps + payload)) : 0;
      row.row.classList.toggle('empty', pages === 0);
      row.cells.pages.textContent = number(pages);
      row.cells.live.textContent = number(live);
      row.cells.free.textContent = number(free);
      row.cells.gaps.textContent = pages ? `${share}%` : '';
      row.svg.setAttribute('aria-label', label(arena));
      row.svg.classList.toggle('empty', pages === 0);
      // A column of a bin has its live blocks at the bottom, and gaps above.
      const columns = Array.from({ length: bins.length / 2 }, (_, n) => bins.slice(2 * n, 2 * n + 2));
      const bar = (from, to, n) => (to > from ? `M${n} ${100 - from}h1v${from - to}h-1z` : '');
      row.paths[0].setAttribute('d', columns.map(([live], n) => bar(0, live, n)).join(''));
      row.paths[1].setAttribute('d', columns.map(([live, used], n) => bar(live, used, n)).join(''));
    }
  }

  #row(kind) {
    const button = element('button', { type: 'button', disabled: true, title: `List the objects of kind ${kind}`, onclick: () => this.#open(kind) }, kind);
    const { svg, paths } = picture(64, 100, '', ['live', 'gap']);
    const cells = Object.fromEntries(['pages', 'live', 'free', 'gaps'].map((name) => [name, element('td')]));
    cells.free.className = 'wide';
    const row = element('tr', {}, element('th', { scope: 'row' }, button), element('td', { class: 'map' }, svg), ...Object.values(cells));
    this.#body.append(row);
    const made = { button, svg, paths, cells, row };
    this.#rows.set(kind, made);
    return made;
  }
}

function label({ pages, payload, gaps }) {
  if (!pages) return 'no memory';
  const unused = pages * 65536 - payload - gaps;
  return `${bytes(payload)} live, ${bytes(gaps)} in gaps, ${bytes(Math.max(0, unused))} never used`;
}
