// Python's pickles, read as data: https://docs.python.org/3/library/pickletools.html names the opcodes. Nothing is run:
// what a pickle asks to be called is looked up in a table of the caller's.

/** What stands for the names of Python that a pickle uses. */
export interface PickleHost {
  /** What stands for `module.name`; throws for a name that is not allowed. */
  find(name: string): unknown;
  /** What a call gives; throws for what cannot be called. */
  call(callable: unknown, args: readonly unknown[]): unknown;
  /** What lies outside of the pickle under `id`. */
  load(id: unknown): unknown;
  /** The error that a damaged pickle is. */
  fail(message: string): Error;
}

/** A whole number in `bytes`, little-endian, two's complement. */
function readLong(bytes: Uint8Array): number | bigint {
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).reverse();
  const value = BigInt.asIntN(8 * bytes.length, BigInt(`0x0${hex.join('')}`));
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

class Unpickler {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #host: PickleHost;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #at = 0;
  /** The values that wait to be used, in a list of their own since each mark. */
  readonly #stacks: unknown[][] = [[]];
  readonly #memo = new Map<number, unknown>();

  constructor(bytes: Uint8Array, host: PickleHost) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#host = host;
  }

  /** `value`, which is undefined where the pickle is not what it should be. */
  #require<Value>(value: Value | undefined): Value {
    if (value !== undefined) return value;
    throw this.#host.fail(`its pickle is cut or damaged at byte ${this.#at}`);
  }

  /** Where the next `length` bytes start. */
  #skip(length: number): number {
    const at = this.#require(this.#at + length <= this.#bytes.length ? this.#at : undefined);
    this.#at += length;
    return at;
  }

  #u8 = () => this.#view.getUint8(this.#skip(1));
  #u32 = () => this.#view.getUint32(this.#skip(4), true);
  #next = (length: number) => this.#bytes.subarray(this.#skip(length), this.#at);

  #text(length: number): string {
    const bytes = this.#next(length);
    let text;
    try {
      text = this.#decoder.decode(bytes);
    } catch {
      // Not UTF-8.
    }
    return this.#require(text);
  }

  #line(): string {
    const end = this.#bytes.indexOf(10, this.#at);
    const text = this.#text(end < 0 ? Infinity : end - this.#at);
    this.#skip(1);
    return text;
  }

  get #stack(): unknown[] {
    return this.#require(this.#stacks.at(-1));
  }

  #pop(count: number): unknown[] {
    const start = this.#stack.length - count;
    return this.#require(start < 0 ? undefined : this.#stack.splice(start));
  }

  #popOne = () => this.#pop(1)[0];

  /** What was pushed since the last mark. */
  #popMark = () => this.#require(this.#stacks.pop());

  /** Adds `values` to the list on top. */
  #append(values: readonly unknown[]): void {
    const top = this.#stack.at(-1);
    const list = this.#require(Array.isArray(top) ? (top as unknown[]) : undefined);
    for (const value of values) list.push(value);
  }

  /** Adds `values`, a key and its value in turn, to the dictionary on top. */
  #setItems(values: readonly unknown[]): void {
    const top = this.#stack.at(-1);
    const map = this.#require(top instanceof Map ? top : undefined);
    for (let i = 0; i < values.length; i += 2) map.set(values[i], values[i + 1]);
  }

  #remember(key: number): unknown {
    const value = this.#popOne();
    this.#memo.set(key, value);
    return value;
  }

  #recall = (key: number) => this.#require(this.#memo.get(key));

  #find(module: unknown, name: unknown): unknown {
    const areTexts = typeof module === 'string' && typeof name === 'string';
    return this.#host.find(this.#require(areTexts ? `${module}.${name}` : undefined));
  }

  #call(callable: unknown, args: unknown): unknown {
    return this.#require(this.#host.call(callable, this.#require(Array.isArray(args) ? args : undefined)));
  }

  /** Does what `opcode` says. Gives the value that it pushes, or undefined where it pushes none. */
  #step(opcode: number): unknown {
    switch (String.fromCharCode(opcode)) {
      case '\x80': // PROTO
        this.#skip(1);
        return undefined;
      case '\x95': // FRAME
        this.#skip(8);
        return undefined;
      case '(': // MARK
        this.#stacks.push([]);
        return undefined;
      case 'N': // NONE
        return null;
      case '\x88': // NEWTRUE
        return true;
      case '\x89': // NEWFALSE
        return false;
      case 'K': // BININT1
        return this.#u8();
      case 'M': // BININT2
        return this.#view.getUint16(this.#skip(2), true);
      case 'J': // BININT
        return this.#u32() | 0;
      case '\x8a': // LONG1
        return readLong(this.#next(this.#u8()));
      case 'G': // BINFLOAT
        return this.#view.getFloat64(this.#skip(8));
      case 'X': // BINUNICODE
        return this.#text(this.#u32());
      case '\x8c': // SHORT_BINUNICODE
        return this.#text(this.#u8());
      case ']': // EMPTY_LIST
      case ')': // EMPTY_TUPLE
        return [];
      case '}': // EMPTY_DICT
        return new Map();
      case '\x85': // TUPLE1
      case '\x86': // TUPLE2
      case '\x87': // TUPLE3
        return this.#pop(opcode - 0x84);
      case 't': // TUPLE
        return this.#popMark();
      case 'a': // APPEND
        this.#append(this.#pop(1));
        return undefined;
      case 'e': // APPENDS
        this.#append(this.#popMark());
        return undefined;
      case 's': // SETITEM
        this.#setItems(this.#pop(2));
        return undefined;
      case 'u': // SETITEMS
        this.#setItems(this.#popMark());
        return undefined;
      case 'q': // BINPUT
        return this.#remember(this.#u8());
      case 'r': // LONG_BINPUT
        return this.#remember(this.#u32());
      case '\x94': // MEMOIZE
        return this.#remember(this.#memo.size);
      case 'h': // BINGET
        return this.#recall(this.#u8());
      case 'j': // LONG_BINGET
        return this.#recall(this.#u32());
      case 'c': // GLOBAL
        return this.#find(this.#line(), this.#line());
      case '\x93': // STACK_GLOBAL
        return this.#find(...(this.#pop(2) as [unknown, unknown]));
      case 'R': // REDUCE
      case '\x81': // NEWOBJ
        return this.#call(...(this.#pop(2) as [unknown, unknown]));
      case 'b': // BUILD: attributes, such as the versions of modules that an OrderedDict has along
        this.#pop(1);
        return undefined;
      case 'Q': // BINPERSID
        return this.#host.load(this.#popOne());
      default:
        throw this.#host.fail(`its pickle has the opcode ${opcode} at byte ${this.#at - 1}, which is not read here`);
    }
  }

  read(): unknown {
    const stop = '.'.charCodeAt(0);
    for (let opcode = this.#u8(); opcode !== stop; opcode = this.#u8()) {
      const value = this.#step(opcode);
      if (value !== undefined) this.#stack.push(value);
    }
    return this.#require(this.#popOne());
  }
}

/**
 * The value of a pickle of protocol 2 to 5: dictionaries as Map, lists and tuples as arrays, None as null, whole numbers
 * beyond 2^53 as bigint, and what the host makes of the rest.
 */
export const unpickle = (bytes: Uint8Array, host: PickleHost): unknown => new Unpickler(bytes, host).read();
