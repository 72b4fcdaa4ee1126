import { inputsOf, type KernelBank, type Selection } from '../common/kernels';

/**
 * One cell for each pair of output channel (row) and input channel (column). Pairs that the groups keep apart are empty;
 * the others show their kernel and can be chosen.
 */
export class KernelGrid {
  readonly #all = cell('All', 'All kernels');
  readonly #cells: HTMLButtonElement[][];
  #selection: Selection = 'all';

  constructor(
    readonly host: HTMLElement,
    readonly bank: KernelBank,
    readonly onSelect: (selection: Selection) => void,
  ) {
    const channels = Array.from({ length: bank.mostChannels }, (_, i) => i);
    this.#cells = channels.map((o) =>
      channels.map((c) => cell('', `Kernel from input channel ${c + 1} to output channel ${o + 1}`)),
    );
    host.append(this.#all, ...this.#cells.flat());
    this.#all.classList.add('all');
    this.#all.addEventListener('click', () => this.#choose('all'));
    for (const [o, row] of this.#cells.entries()) {
      for (const [c, button] of row.entries()) button.addEventListener('click', () => this.#choose({ o, c }));
    }
    host.addEventListener('keydown', (event) => {
      this.#onKey(event);
    });
  }

  get selection(): Selection {
    return this.#selection;
  }

  /** Draws the kernels that a layer of these channels has. A choice that is gone becomes "all". */
  show(inChannels: number, outChannels: number, groups: number): void {
    for (const [o, row] of this.#cells.entries()) {
      const inputs = o < outChannels ? inputsOf(o, inChannels, outChannels, groups) : [];
      for (const [c, button] of row.entries()) {
        button.disabled = !inputs.includes(c);
        button.dataset.state = o >= outChannels || c >= inChannels ? 'none' : button.disabled ? 'apart' : 'joined';
        button.innerHTML = button.disabled ? '' : sparkline(this.bank.get({ o, c }));
      }
    }
    const selection = this.#selection;
    if (selection !== 'all' && this.#button(selection).disabled) this.#selection = 'all';
    this.#mark();
  }

  #button(selection: Selection): HTMLButtonElement {
    return (selection === 'all' ? undefined : this.#cells[selection.o]?.[selection.c]) ?? this.#all;
  }

  #choose(selection: Selection): void {
    this.#selection = selection;
    this.#mark();
    this.onSelect(selection);
  }

  #mark(): void {
    const chosen = this.#button(this.#selection);
    for (const button of [this.#all, ...this.#cells.flat()]) {
      button.setAttribute('aria-checked', String(button === chosen));
      button.tabIndex = button === chosen ? 0 : -1;
    }
  }

  #onKey(event: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const buttons = [this.#all, ...this.#cells.flat()].filter((button) => !button.disabled);
    const now = buttons.indexOf(this.#button(this.#selection));
    const next = buttons[(now + step + buttons.length) % buttons.length];
    next?.click();
    next?.focus();
  }
}

function cell(text: string, label: string): HTMLButtonElement {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = text;
  button.title = label;
  button.setAttribute('role', 'radio');
  button.setAttribute('aria-label', label);
  return button;
}

/** The taps as a small line, zero in the middle. */
function sparkline(taps: readonly number[]): string {
  const most = Math.max(...taps.map(Math.abs)) || 1;
  const step = Math.max(1, Math.ceil(taps.length / 60));
  const points = taps
    .filter((_, k) => k % step === 0)
    .map((tap, i, shown) => `${((i + 0.5) / shown.length) * 24},${8 - (tap / most) * 6.5}`);
  if (points.length === 1) points.push(`18,${8 - Math.sign(taps[0] ?? 0) * 6.5}`);
  return `<svg viewBox="0 0 24 16" aria-hidden="true"><polyline points="${points.join(' ')}"/></svg>`;
}
