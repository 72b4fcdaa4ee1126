import type { Runtime } from 'conv1d-wasm';

export type StateValue = string | number | boolean;
export type StateValues = Record<string, StateValue>;

/** The types of the defaults, not their very values. */
export type Widened<T extends StateValues> = {
  [Key in keyof T]: T[Key] extends number ? number : T[Key] extends boolean ? boolean : string;
};

/** One panel's values in the address. Those that are as by default are left out of it. */
export interface PanelState<T extends StateValues> {
  get(): T;
  set(changes: Partial<T>): void;
}

/** What a panel gets of the page around it. Elements of a panel have ids that begin with the panel's. */
export interface Page {
  /** The default runtime, as the page started it; rejects with the library's error. */
  readonly runtime: Promise<Runtime>;
  /** Values that a reload and a shared address bring back. */
  state<T extends StateValues>(panel: string, defaults: T): PanelState<Widened<T>>;
  /** Tells, now and whenever it changes, whether this panel is the one that is seen. */
  onShown(panel: string, listener: (shown: boolean) => void): void;
  /** The address of all that is set now. */
  link(): string;
}

// Browsers refuse addresses that change too often.
const writeDelay = 300;

/** The page's rooms, one of which is open, and the state of all in the address: `#panel?panel.key=value&...`. */
export class Rooms implements Page {
  readonly #values: Map<string, string>;
  readonly #listeners: { panel: string; listener: (shown: boolean) => void }[] = [];
  #open: string;
  #timer = 0;
  #written = '';

  constructor(
    readonly runtime: Promise<Runtime>,
    readonly panels: readonly string[],
  ) {
    const { panel, values } = this.#parse();
    this.#open = panel;
    this.#values = values;
    addEventListener('hashchange', () => this.#onHash());
    addEventListener('pagehide', () => this.#keep());
    this.#write();
  }

  state<T extends StateValues>(panel: string, defaults: T): PanelState<Widened<T>> {
    const keyOf = (name: string) => `${panel}.${name}`;
    return {
      get: () => {
        const read = ([name, value]: [string, StateValue]) => [name, parsed(this.#values.get(keyOf(name)), value)];
        return Object.fromEntries(Object.entries(defaults).map(read)) as Widened<T>;
      },
      set: (changes) => {
        for (const [name, value] of Object.entries(changes)) {
          if (value === defaults[name]) this.#values.delete(keyOf(name));
          else this.#values.set(keyOf(name), String(value));
        }
        clearTimeout(this.#timer);
        this.#timer = window.setTimeout(() => this.#keep(), writeDelay);
      },
    };
  }

  onShown(panel: string, listener: (shown: boolean) => void): void {
    this.#listeners.push({ panel, listener });
    listener(panel === this.#open);
  }

  link(): string {
    return new URL(this.#hash(), location.href).href;
  }

  #parse(): { panel: string; values: Map<string, string> } {
    const [name = '', query = ''] = location.hash.slice(1).split(/\?(.*)/s);
    const panel = this.panels.includes(name) ? name : (this.panels[0] ?? '');
    return { panel, values: new Map(new URLSearchParams(query)) };
  }

  #hash(): string {
    const pairs = Array.from(this.#values, ([key, value]) => `${legible(key)}=${legible(value)}`);
    return `#${this.#open}${pairs.length > 0 ? `?${pairs.join('&')}` : ''}`;
  }

  /** An address that this page wrote is marked as such in the history. */
  #write(): void {
    clearTimeout(this.#timer);
    history.replaceState({ own: true }, '', this.#hash());
    this.#written = location.hash;
  }

  /** Writes what has changed, unless somebody goes to another panel just now, which the page hears of a little later. */
  #keep(): void {
    if (location.hash === this.#written) this.#write();
  }

  #onHash(): void {
    const { panel, values } = this.#parse();
    // Somebody put another page's state into the address; a page that starts takes it in.
    if (history.state === null && values.size > 0) {
      location.reload();
      return;
    }
    this.#open = panel;
    this.#write();
    for (const { panel: id, listener } of this.#listeners) listener(id === panel);
  }
}

function parsed(text: string | undefined, standard: StateValue): StateValue {
  if (text === undefined) return standard;
  if (typeof standard === 'boolean') return text === 'true';
  if (typeof standard === 'string') return text;
  const value = Number(text);
  return text.trim() !== '' && Number.isFinite(value) ? value : standard;
}

/** Lists of numbers stay readable in an address. */
function legible(value: string): string {
  return encodeURIComponent(value).replace(/%(?:2C|3A|3B)/g, decodeURIComponent);
}
