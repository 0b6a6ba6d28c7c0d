// What the module uses of WASI preview 1. Other functions fail as not implemented.

const SUCCESS = 0;
const BAD_FILE = 8;
const NOT_IMPLEMENTED = 52;

const encoder = new TextEncoder();

/** The end of the process. */
export class Exit extends Error {}

/** Calls `receive` with each line of what is written. */
class Lines {
  #decoder = new TextDecoder();
  #rest = '';

  constructor(receive) {
    this.receive = receive;
  }

  write(bytes) {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#rest = lines.pop();
    lines.forEach(this.receive);
  }
}

/** A process: `arguments`, `input` for standard input, and a receiver for each line of both outputs. */
export class Process {
  #memory;
  #arguments = [];
  #input = new Uint8Array();
  #outputs;

  constructor(output, error) {
    this.#outputs = new Map([[1, new Lines(output)], [2, new Lines(error)]]);
  }

  /** Instantiates a module. Returns its exports. */
  async start(module) {
    const known = this.#functions();
    const functions = new Proxy(known, { get: (_, name) => known[name] ?? (() => NOT_IMPLEMENTED) });
    const { exports } = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: functions });
    this.#memory = exports.memory;
    exports._initialize?.();
    return exports;
  }

  set arguments(list) {
    this.#arguments = list.map((text) => encoder.encode(`${text.replaceAll('\0', '\uFFFD')}\0`));
  }

  set input(text) {
    this.#input = encoder.encode(text);
  }

  // The buffer changes when the memory grows.
  get #view() {
    return new DataView(this.#memory.buffer);
  }

  #bytes(address, len) {
    return new Uint8Array(this.#memory.buffer, address, len);
  }

  /** The buffers of a list that the module passes. */
  #buffers(list, count) {
    const view = this.#view;
    return Array.from({ length: count }, (_, n) => {
      const at = list + 8 * n;
      return this.#bytes(view.getUint32(at, true), view.getUint32(at + 4, true));
    });
  }

  #sizes(count, len, texts) {
    this.#view.setUint32(count, texts.length, true);
    this.#view.setUint32(len, texts.reduce((sum, text) => sum + text.length, 0), true);
    return SUCCESS;
  }

  #texts(list, buffer, texts) {
    let at = buffer;
    texts.forEach((text, n) => {
      this.#view.setUint32(list + 4 * n, at, true);
      this.#bytes(at, text.length).set(text);
      at += text.length;
    });
    return SUCCESS;
  }

  #functions() {
    return {
      args_sizes_get: (count, len) => this.#sizes(count, len, this.#arguments),
      args_get: (list, buffer) => this.#texts(list, buffer, this.#arguments),
      environ_sizes_get: (count, len) => this.#sizes(count, len, []),
      environ_get: (list, buffer) => this.#texts(list, buffer, []),
      clock_time_get: (clock, _precision, to) => {
        const time = performance.now() + (clock === 0 ? performance.timeOrigin : 0);
        this.#view.setBigUint64(to, BigInt(Math.round(time * 1e6)), true);
        return SUCCESS;
      },
      random_get: (address, len) => {
        // At most 65,536 bytes a call.
        for (let at = 0; at < len; at += 65536) {
          crypto.getRandomValues(this.#bytes(address + at, Math.min(65536, len - at)));
        }
        return SUCCESS;
      },
      fd_write: (file, list, count, written) => {
        const output = this.#outputs.get(file);
        if (!output) return BAD_FILE;
        const buffers = this.#buffers(list, count);
        buffers.forEach((bytes) => output.write(bytes));
        this.#view.setUint32(written, buffers.reduce((sum, bytes) => sum + bytes.length, 0), true);
        return SUCCESS;
      },
      fd_read: (file, list, count, read) => {
        if (file !== 0) return BAD_FILE;
        let len = 0;
        for (const buffer of this.#buffers(list, count)) {
          const some = this.#input.subarray(0, buffer.length);
          buffer.set(some);
          this.#input = this.#input.subarray(some.length);
          len += some.length;
        }
        this.#view.setUint32(read, len, true);
        return SUCCESS;
      },
      sched_yield: () => SUCCESS,
      proc_exit: (code) => {
        throw new Exit(`the process ended with code ${code}`);
      },
    };
  }
}
