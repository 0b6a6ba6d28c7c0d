// Numbers as text, and elements.

const count = new Intl.NumberFormat('en');

export const number = (n) => count.format(n);

export function bytes(n) {
  const units = ['bytes', 'KiB', 'MiB', 'GiB'];
  let unit = 0;
  while (n >= 1024 && unit < 3) {
    n /= 1024;
    unit += 1;
  }
  return `${unit && n < 100 ? n.toFixed(1) : number(Math.round(n))} ${units[unit]}`;
}

/** A time in microseconds. */
export function time(us) {
  if (us < 1000) return `${Math.round(us)} µs`;
  return us < 1e6 ? `${(us / 1000).toFixed(us < 1e4 ? 2 : 0)} ms` : `${(us / 1e6).toFixed(2)} s`;
}

/** An element with attributes; those that start with `on` are listeners. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** An SVG in its own coordinates, stretched over its box, with an empty path for each class. */
export function picture(width, height, label, classes) {
  const make = (tag) => document.createElementNS('http://www.w3.org/2000/svg', tag);
  const svg = make('svg');
  svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  const paths = classes.map((name) => {
    const path = make('path');
    path.setAttribute('class', name);
    svg.append(path);
    return path;
  });
  return { svg, paths };
}
