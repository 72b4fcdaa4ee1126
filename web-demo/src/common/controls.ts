/** The element of this id, which the page's HTML has. */
export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element #${id}`);
  return found;
}

export const input = (id: string) => element(id) as HTMLInputElement;
export const select = (id: string) => element(id) as HTMLSelectElement;
export const textArea = (id: string) => element(id) as HTMLTextAreaElement;

/** The number in a field; NaN when there is none. */
export const numberIn = (id: string) => input(id).valueAsNumber;

/** Sets text where it differs, so that nothing is laid out again for nothing. */
export function setText(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** Fills a select; `labels` are shown, `values` are what it holds. */
export function fillSelect(id: string, values: readonly string[], labels: readonly string[] = values): void {
  select(id).replaceChildren(...values.map((value, i) => new Option(labels[i] ?? value, value)));
}

const steps: readonly (readonly [direction: 1 | -1, sign: string, verb: string])[] = [
  [-1, '−', 'Decrease'],
  [1, '+', 'Increase'],
];

/** Gives the number fields of a form two buttons to press; the keyboard has the arrow keys. */
export function addSteppers(form: HTMLElement): void {
  for (const field of form.querySelectorAll<HTMLInputElement>('input[type=number]:not([readonly])')) {
    const box = document.createElement('span');
    box.className = 'stepper';
    field.replaceWith(box);
    const buttons = steps.map(([direction, sign, verb]) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.tabIndex = -1;
      button.textContent = sign;
      button.setAttribute('aria-label', `${verb} ${field.labels?.[0]?.textContent?.trim() ?? field.id}`);
      button.addEventListener('click', () => {
        if (field.disabled) return;
        if (direction > 0) field.stepUp();
        else field.stepDown();
        field.dispatchEvent(new Event('input', { bubbles: true }));
      });
      return button;
    });
    box.append(...buttons.slice(0, 1), field, ...buttons.slice(1));
  }
}

/** One sentence under the field at fault, over the labels that follow, so that nothing moves. */
export class Callout {
  readonly #bubble = document.createElement('p');
  #field: HTMLElement | null = null;

  constructor(readonly form: HTMLElement) {
    this.#bubble.className = 'callout';
    this.#bubble.id = `${form.id}-problem`;
    this.#bubble.setAttribute('role', 'alert');
    this.#bubble.hidden = true;
    form.append(this.#bubble);
    addEventListener('resize', () => this.#place());
  }

  /** Whether the form has such a field. */
  has(field: string): boolean {
    return this.form.querySelector(`#${field}`) !== null;
  }

  show(field: string, sentence: string): void {
    const target = element(field);
    if (target !== this.#field) this.clear();
    this.#field = target;
    target.setAttribute('aria-invalid', 'true');
    target.setAttribute('aria-describedby', this.#bubble.id);
    setText(this.#bubble, sentence);
    this.#bubble.hidden = false;
    this.#place();
  }

  clear(): void {
    this.#field?.removeAttribute('aria-invalid');
    this.#field?.removeAttribute('aria-describedby');
    this.#field = null;
    this.#bubble.hidden = true;
    this.#bubble.textContent = '';
  }

  #place(): void {
    if (!this.#field) return;
    const form = this.form.getBoundingClientRect();
    const field = (this.#field.closest('.stepper') ?? this.#field).getBoundingClientRect();
    this.#bubble.style.top = `${field.bottom - form.top + 6}px`;
    this.#bubble.style.setProperty('--arrow', `${field.left - form.left + field.width / 2}px`);
  }
}
