import { element, input, numberIn, select, setText } from '../common/controls';
import { count, operations, plural, short } from '../common/format';
import type { Page, PanelState, Widened } from '../page';
import { Cone } from './cone';
import { type PresetName, presets } from './presets';
import html from './receptive-field.html?raw';
import {
  costsOf,
  formatLayers,
  jumps,
  type LayerField,
  layerFields,
  limits,
  mostLayers,
  parseLayers,
  pathsOf,
  problemOf,
  reachOf,
  type Stack,
  type StackLayer,
} from './stack';
import './style.css';

const prefix = 'receptive-field';
const standard = presets.tcn;
const defaults = {
  layers: formatLayers(standard.stack.layers),
  causal: standard.stack.causal,
  inChannels: standard.stack.inChannels,
  rate: standard.rate,
  output: 0,
};
const addedLayer: StackLayer = { kernelSize: 3, stride: 1, dilation: 1, channels: 64 };
const customAbout = 'A stack of your own.';

const id = (name: string) => `${prefix}-${name}`;

/** A time in seconds as people say it. */
function time(seconds: number): string {
  return seconds >= 1 ? `${short(seconds)} s` : `${short(1000 * seconds)} ms`;
}

export async function mount(root: HTMLElement, page: Page): Promise<void> {
  root.innerHTML = html;
  const panel = new ReceptiveFieldPanel(page);
  try {
    await page.runtime;
    panel.start();
  } catch (error) {
    panel.fail(`The library could not be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
}

class ReceptiveFieldPanel {
  readonly #state: PanelState<Widened<typeof defaults>>;
  readonly #cone = new Cone(element(id('cone')));
  #layers: StackLayer[];
  /** The stack that is shown: the last one without a problem. */
  #shown: Stack | null = null;
  #output: number;
  #hasLibrary = false;

  constructor(page: Page) {
    this.#state = page.state(prefix, defaults);
    const { layers, output } = this.#state.get();
    this.#layers = parseLayers(layers) ?? [...standard.stack.layers];
    this.#output = output;
    this.#buildPresets();
    this.#bind();
    this.#fill();
    this.#update();
  }

  /** The library is there, and with it what it says. */
  start(): void {
    this.#hasLibrary = true;
    this.#measure();
  }

  fail(sentence: string): void {
    setText(element(id('problem')), sentence);
  }

  // ---- what is set

  #buildPresets(): void {
    const options = Object.entries(presets).map(([name, { label }]) => new Option(label, name));
    select(id('preset')).append(...options, new Option('Custom', ''));
  }

  #bind(): void {
    element(id('form')).addEventListener('submit', (event) => event.preventDefault());
    select(id('preset')).addEventListener('change', ({ target }) => {
      const { value } = target as HTMLSelectElement;
      if (value in presets) this.#usePreset(value as PresetName);
    });
    for (const name of ['rate', 'inChannels'] as const) {
      input(id(name)).addEventListener('input', () => this.#edit({ [name]: numberIn(id(name)) }));
    }
    select(id('causal')).addEventListener('change', ({ target }) => {
      this.#edit({ causal: (target as HTMLSelectElement).value === 'true' });
    });
    element(id('add')).addEventListener('click', () => {
      this.#layers.push({ ...(this.#layers.at(-1) ?? addedLayer) });
      this.#relist(this.#layers.length - 1);
    });
    this.#bindLayers(element(id('layers')));
    this.#bindCone(element(id('cone')));
  }

  #bindLayers(list: HTMLElement): void {
    list.addEventListener('input', ({ target }) => {
      const field = target as HTMLInputElement;
      const layer = this.#layers[Number(field.dataset.layer)];
      if (!layer) return;
      layer[field.dataset.field as LayerField] = field.valueAsNumber;
      this.#update();
    });
    list.addEventListener('click', ({ target }) => {
      const { move, layer } = (target as HTMLElement).dataset;
      if (move === undefined) return;
      const from = Number(layer);
      const [moved] = this.#layers.splice(from, 1);
      const to = from + Number(move);
      if (moved && move !== 'remove') this.#layers.splice(to, 0, moved);
      this.#relist(move === 'remove' ? Math.min(from, this.#layers.length - 1) : to);
    });
  }

  #bindCone(cone: HTMLElement): void {
    cone.addEventListener('pointermove', ({ clientX }) => this.#moveTo(this.#cone.outputAt(clientX)));
    cone.addEventListener('pointerdown', ({ clientX }) => this.#moveTo(this.#cone.outputAt(clientX)));
    cone.addEventListener('keydown', (event) => {
      const last = this.#cone.outputs - 1;
      const page = Math.max(1, Math.round(last / 10));
      const moves: Record<string, number> = {
        ArrowLeft: this.#output - 1,
        ArrowDown: this.#output - 1,
        ArrowRight: this.#output + 1,
        ArrowUp: this.#output + 1,
        PageDown: this.#output - page,
        PageUp: this.#output + page,
        Home: 0,
        End: last,
      };
      const to = moves[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.#moveTo(Math.min(last, Math.max(0, to)));
    });
  }

  #usePreset(name: PresetName): void {
    const { stack, rate } = presets[name];
    this.#layers = stack.layers.map((layer) => ({ ...layer }));
    this.#state.set({ causal: stack.causal, inChannels: stack.inChannels, rate });
    this.#fill();
    this.#update();
  }

  #edit(changes: Partial<Widened<typeof defaults>>): void {
    this.#state.set(changes);
    this.#update();
  }

  /** Lists the layers anew, with the keyboard at one of them. */
  #relist(focused: number): void {
    this.#listLayers();
    document.querySelector<HTMLElement>(`#${id('layers')} [data-layer='${focused}']`)?.focus();
    this.#update();
  }

  // ---- what is seen

  #fill(): void {
    const { causal, inChannels, rate } = this.#state.get();
    select(id('causal')).value = String(causal);
    input(id('inChannels')).valueAsNumber = inChannels;
    input(id('rate')).valueAsNumber = rate;
    this.#listLayers();
  }

  #listLayers(): void {
    const names = document.createElement('div');
    names.className = 'layer names';
    names.ariaHidden = 'true';
    names.innerHTML = '<span></span><span>Kernel</span><span>Stride</span><span>Dilation</span><span>Channels</span>';
    element(id('layers')).replaceChildren(names, ...this.#layers.map((layer, i) => this.#layerRow(layer, i)));
    (element(id('add')) as HTMLButtonElement).disabled = this.#layers.length >= mostLayers;
  }

  #layerRow(layer: StackLayer, i: number): HTMLElement {
    const row = document.createElement('div');
    row.className = 'layer';
    const number = document.createElement('span');
    number.textContent = String(i + 1);
    const fields = layerFields.map((field) => {
      const box = document.createElement('input');
      Object.assign(box, { type: 'number', min: '1', max: String(limits[field]), step: '1' });
      box.setAttribute('aria-label', `Layer ${i + 1}, ${fieldNames[field]}`);
      Object.assign(box.dataset, { layer: i, field });
      box.valueAsNumber = layer[field];
      return box;
    });
    const moves = document.createElement('span');
    moves.className = 'moves';
    const last = this.#layers.length - 1;
    moves.append(
      this.#moveButton(i, '-1', '↑', `Move layer ${i + 1} up`, i === 0),
      this.#moveButton(i, '1', '↓', `Move layer ${i + 1} down`, i === last),
      this.#moveButton(i, 'remove', '×', `Remove layer ${i + 1}`, last === 0),
    );
    row.append(number, ...fields, moves);
    return row;
  }

  #moveButton(layer: number, move: string, sign: string, label: string, disabled: boolean): HTMLButtonElement {
    const button = document.createElement('button');
    Object.assign(button, { type: 'button', textContent: sign, title: label, ariaLabel: label, disabled });
    Object.assign(button.dataset, { layer, move });
    return button;
  }

  /** The stack as it is set; null, and a sentence, where it makes no sense. */
  #take(): Stack | null {
    const { causal } = this.#state.get();
    const [inChannels, rate] = [numberIn(id('inChannels')), numberIn(id('rate'))];
    const stack = { inChannels, causal, layers: this.#layers };
    const problem = problemOf(stack);
    for (const field of document.querySelectorAll<HTMLInputElement>(`#${id('layers')} input`)) {
      const isWrong = Number(field.dataset.layer) === problem?.layer && field.dataset.field === problem.field;
      markWrong(field, isWrong);
    }
    const hasChannels = Number.isInteger(inChannels) && inChannels >= 1 && inChannels <= limits.channels;
    markWrong(input(id('inChannels')), !hasChannels);
    markWrong(input(id('rate')), !(rate > 0));
    const sentence =
      (problem?.sentence ??
        (hasChannels ? '' : `Input channels must be a whole number from 1 to ${count(limits.channels)}.`)) ||
      (rate > 0 ? '' : 'The sample rate must be a number above 0.');
    setText(element(id('problem')), sentence);
    return sentence === '' ? stack : null;
  }

  /** Shows the stack that is set, if it makes sense; else what was shown stays. */
  #update(): void {
    const stack = this.#take();
    if (!stack) return;
    this.#showPreset(stack);
    this.#state.set({ layers: formatLayers(stack.layers) });
    const copy = { ...stack, layers: stack.layers.map((layer) => ({ ...layer })) };
    const isNew = JSON.stringify(copy) !== JSON.stringify(this.#shown);
    this.#shown = copy;
    if (isNew) {
      this.#cone.show(copy, 0);
      this.#output = Math.min(Math.max(0, Math.round(this.#output)), this.#cone.outputs - 1);
      this.#cone.setOutput(this.#output);
    }
    this.#showCosts(copy);
    this.#measure();
  }

  #showPreset({ layers, causal, inChannels }: Stack): void {
    const text = JSON.stringify([layers, causal, inChannels]);
    const found = Object.entries(presets).find(
      ([, { stack }]) => JSON.stringify([stack.layers, stack.causal, stack.inChannels]) === text,
    );
    select(id('preset')).value = found?.[0] ?? '';
    setText(element(id('about')), found?.[1].about ?? customAbout);
  }

  #showCosts(stack: Stack): void {
    const { rate } = this.#state.get();
    const { parameters, flopsPerSample } = costsOf(stack);
    const stride = jumps(stack.layers).at(-1) ?? 1;
    tile('parameters', count(parameters), `${short(parameters * 4e-6)} MB as float32`);
    tile('flops', operations(flopsPerSample * rate));
    tile('stride', count(stride), `an output every ${time(stride / rate)}`);
  }

  /** What the library says of the stack. */
  #measure(): void {
    const stack = this.#shown;
    if (!this.#hasLibrary || !stack) return;
    try {
      const { rate } = this.#state.get();
      const { receptiveField, latency } = reachOf(stack);
      tile('field', plural(receptiveField, 'sample'), time(receptiveField / rate));
      tile('latency', plural(latency, 'sample'), latency === 0 ? 'nothing looks ahead' : time(latency / rate));
      const paths = pathsOf(stack);
      this.#cone.setPaths(paths);
      const counting = paths?.reduce((sum, value) => sum + Number(value !== 0), 0);
      tile(
        'counting',
        counting === undefined ? 'not computed' : count(counting),
        counting === undefined ? 'it would take too long' : `of ${count(receptiveField)}, found by impulses`,
      );
    } catch (error) {
      this.fail(error instanceof Error ? error.message : String(error));
    }
    this.#showOutput();
  }

  #moveTo(output: number): void {
    if (output === this.#output) return;
    this.#output = output;
    this.#state.set({ output });
    this.#cone.setOutput(output);
    this.#showOutput();
  }

  #showOutput(): void {
    if (!this.#shown) return;
    const { first, last } = this.#cone.inputsOf(this.#output);
    const text = `Output ${count(this.#output)}: inputs ${count(first)} to ${count(last)}`;
    setText(element(id('readout')), text);
    const cone = element(id('cone'));
    cone.setAttribute('aria-valuemax', String(this.#cone.outputs - 1));
    cone.setAttribute('aria-valuenow', String(this.#output));
    cone.setAttribute('aria-valuetext', text);
  }
}

const fieldNames: Record<LayerField, string> = {
  kernelSize: 'kernel size',
  stride: 'stride',
  dilation: 'dilation',
  channels: 'channels',
};

function markWrong(field: HTMLInputElement, isWrong: boolean): void {
  if (isWrong) {
    field.setAttribute('aria-invalid', 'true');
    field.setAttribute('aria-describedby', id('problem'));
  } else {
    field.removeAttribute('aria-invalid');
    field.removeAttribute('aria-describedby');
  }
}

function tile(name: string, value: string, note?: string): void {
  setText(element(id(name)), value);
  if (note !== undefined) setText(element(id(`${name}-note`)), note);
}
