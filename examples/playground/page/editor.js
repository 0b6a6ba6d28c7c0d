// The editor: a text area with line numbers, in which one line can be marked.

export class Editor {
  #source;
  #gutter;
  #mark;
  #marked = null;
  #isDue = 0;

  constructor(source, gutter, mark) {
    this.#source = source;
    this.#gutter = gutter;
    this.#mark = mark;
    // An insertion of many lines may be as many events.
    source.addEventListener('input', () => {
      this.#isDue ||= requestAnimationFrame(() => this.unmark());
    });
    source.addEventListener('scroll', () => this.#place());
  }

  get text() {
    return this.#source.value;
  }

  set text(text) {
    this.#source.value = text;
    this.#source.scrollTop = 0;
    this.unmark();
  }

  /** Marks a line, and scrolls to it. */
  mark(line) {
    this.#marked = line;
    const height = this.#lineHeight;
    const top = (line - 1) * height;
    const { scrollTop, clientHeight } = this.#source;
    if (top < scrollTop || top + 2 * height > scrollTop + clientHeight) {
      this.#source.scrollTop = Math.max(0, top - clientHeight / 2);
    }
    this.#source.setAttribute('aria-invalid', 'true');
    this.#number();
  }

  unmark() {
    this.#marked = null;
    this.#source.removeAttribute('aria-invalid');
    this.#number();
  }

  /** Moves the focus to a token, and selects it. */
  select(line, column, length) {
    const lines = this.text.split('\n');
    const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
    // Columns count characters, a selection counts units of UTF-16.
    const units = (count) => [...lines[line - 1] ?? ''].slice(0, count).join('').length;
    this.#source.focus();
    this.#source.setSelectionRange(start + units(column - 1), start + units(column - 1 + length));
  }

  get #lineHeight() {
    return parseFloat(getComputedStyle(this.#source).lineHeight);
  }

  #number() {
    cancelAnimationFrame(this.#isDue);
    this.#isDue = 0;
    const count = this.text.split('\n').length;
    const numbers = Array.from({ length: count }, (_, n) => {
      const number = document.createElement('span');
      number.textContent = n + 1;
      number.classList.toggle('marked', n + 1 === this.#marked);
      return number;
    });
    this.#gutter.replaceChildren(...numbers);
    this.#place();
  }

  #place() {
    const { scrollTop } = this.#source;
    this.#gutter.scrollTop = scrollTop;
    this.#mark.hidden = this.#marked === null;
    const top = ((this.#marked ?? 1) - 1) * this.#lineHeight - scrollTop;
    this.#mark.style.transform = `translateY(${top}px)`;
  }
}
