// The time line: bytes over time, and below them a bar for each pause.

import { bytes, element, number, picture, time } from './format.js';

const WIDTH = 400;
const HEIGHT = 100;
/** Where the bars of pauses stand, and how high they are. */
const BASE = 160;
const BAR = 52;
const POINTS_MAX = 2 * WIDTH;
const KINDS = ['young', 'step', 'whole'];

export class Timeline {
  #points = [];
  #pauses = [];
  #svg;
  #paths;
  #left;
  #right;
  #totals;

  constructor(box, totals) {
    ({ svg: this.#svg, paths: this.#paths } = picture(WIDTH, BASE, 'no collection yet', ['reserved', 'live', ...KINDS]));
    this.#left = element('span');
    this.#right = element('span');
    box.append(element('p', { class: 'axis' }, this.#left, this.#right), this.#svg);
    this.#totals = totals;
  }

  clear() {
    this.#points = [];
    this.#pauses = [];
    this.#paths.forEach((path) => path.setAttribute('d', ''));
    this.#left.textContent = this.#right.textContent = this.#totals.textContent = '';
  }

  show({ at, total, payload, pauses, count, freed, pause, longest }) {
    this.#points.push({ at, total, payload });
    if (this.#points.length > POINTS_MAX) this.#points = this.#points.filter((_, n) => n % 2 === 0);
    this.#pauses.push(...pauses);
    const end = Math.max(at, 1);
    this.#drawBytes(end);
    this.#drawPauses(end, longest);
    const summary = count
      ? `${number(count)} collections and steps freed ${number(freed)} objects in ${time(pause)}; the longest pause took ${time(longest)}.`
      : 'No collection was due.';
    this.#totals.textContent = summary;
    this.#svg.setAttribute('aria-label', `${bytes(total)} reserved, ${bytes(payload)} live after ${time(at)}. ${summary}`);
  }

  #drawBytes(end) {
    const top = Math.max(...this.#points.map((point) => point.total), 1);
    this.#left.textContent = `up to ${bytes(top)}`;
    this.#right.textContent = time(end);
    const area = (bytesAt) => {
      const corners = this.#points.map((point) => `L${x(point.at, end)} ${HEIGHT - (HEIGHT * bytesAt(point)) / top}`);
      return `M0 ${HEIGHT}${corners.join('')}V${HEIGHT}z`;
    };
    this.#paths[0].setAttribute('d', area((point) => point.total));
    this.#paths[1].setAttribute('d', area((point) => point.payload));
  }

  // One bar for each column and kind, for the longest pause there, on a logarithmic scale.
  #drawPauses(end, longest) {
    const columns = KINDS.map(() => new Map());
    for (const [at, us, kind] of this.#pauses) {
      const column = columns[KINDS.indexOf(kind)];
      const n = Math.floor(x(at, end));
      if (us >= (column.get(n)?.[1] ?? 0)) column.set(n, [at, us, kind]);
    }
    if (this.#pauses.length > 8 * POINTS_MAX) this.#pauses = columns.flatMap((column) => [...column.values()]);
    const scale = BAR / Math.log1p(Math.max(longest, 1));
    columns.forEach((column, n) => {
      const bars = [...column].map(([at, [, us]]) => `M${at + 0.5} ${BASE}v${-Math.max(2, scale * Math.log1p(us))}`);
      this.#paths[n + 2].setAttribute('d', bars.join(''));
    });
  }
}

function x(at, end) {
  return Math.min(WIDTH - 1, ((WIDTH - 1) * at) / end);
}
