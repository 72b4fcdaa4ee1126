import { Conv1dError, show, stateDictError } from '../common/errors.js';

/** A value of a model's file, with its place there: errors name it by that. */
export class Field {
  constructor(
    readonly value: unknown,
    /** Such as `config.layers[0].channels`. */
    readonly path: string,
  ) {}

  /** The error of a value that is not what `rule` says. */
  error(rule: string): Conv1dError {
    return stateDictError(this.path, `${this.path} must be ${rule}, got ${show(this.value)}`, this.value);
  }

  /** The error of a value that may be right, but is not known here; `known` is. */
  unsupported(known: string): Conv1dError {
    const text = `${this.path}: ${show(this.value)} is not supported; ${known}`;
    return new Conv1dError('ERR_UNSUPPORTED', this.path, text, this.value);
  }

  /** Whether there is anything: null stands for nothing. */
  get isThere(): boolean {
    return this.value !== undefined && this.value !== null;
  }

  #object(): Record<string, unknown> {
    const { value } = this;
    if (!this.isThere) return {};
    if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
    throw this.error('an object');
  }

  /** The value of that name in this object; nothing has nothing in it. */
  at(name: string): Field {
    const object = this.#object();
    const path = this.path === '' ? name : `${this.path}.${name}`;
    return new Field(Object.hasOwn(object, name) ? object[name] : undefined, path);
  }

  /** Throws ERR_UNSUPPORTED for a name that is not among `known`, unless it is null or false. */
  checkNames(known: readonly string[]): void {
    for (const name of Object.keys(this.#object())) {
      const field = this.at(name);
      if (!known.includes(name) && field.isThere && field.value !== false) {
        throw field.unsupported(`known beside it are ${known.join(', ')}`);
      }
    }
  }

  #items(): unknown[] {
    if (!Array.isArray(this.value) || this.value.length === 0) throw this.error('a list of at least one');
    return this.value;
  }

  /** One item of this list. */
  item(index: number): Field {
    return new Field(this.#items()[index], `${this.path}[${String(index)}]`);
  }

  list(): Field[] {
    return this.#items().map((_, i) => this.item(i));
  }

  /** The one for layer `index` of `count`: an item of a list, or this one for all. */
  ofLayer(index: number, count: number): Field {
    if (!Array.isArray(this.value)) return this;
    if (this.value.length === count) return this.item(index);
    throw this.error(`one value or a list of ${String(count)}, one for each dilation`);
  }

  /** An integer >= 1; `initial` where there is nothing. */
  integer(initial?: number): number {
    const value = this.isThere ? this.value : (initial ?? this.value);
    if (Number.isSafeInteger(value) && (value as number) >= 1) return value as number;
    throw this.error('an integer >= 1');
  }

  number(initial?: number): number {
    const value = this.isThere ? this.value : (initial ?? this.value);
    if (Number.isFinite(value)) return value as number;
    throw this.error('a finite number');
  }

  flag(initial?: boolean): boolean {
    const value = this.isThere ? this.value : (initial ?? this.value);
    if (typeof value === 'boolean') return value;
    throw this.error('true or false');
  }

  text(): string {
    if (typeof this.value === 'string') return this.value;
    throw this.error('a string');
  }

  /** One of the names of `table`, and what that has for it. */
  choice<Choice>(table: Readonly<Record<string, Choice>>): Choice {
    const name = this.text();
    const chosen = Object.hasOwn(table, name) ? table[name] : undefined;
    if (chosen === undefined) throw this.unsupported(`there are ${Object.keys(table).join(', ')}`);
    return chosen;
  }

  /** Throws unless this is `size`, which is `what`; left out it is `initial`. */
  checkSize(size: number, what: string, initial?: number): void {
    if (this.integer(initial) !== size) throw this.error(`${String(size)}, ${what}`);
  }
}
