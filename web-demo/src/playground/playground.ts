import { Conv1dError, type Runtime } from 'conv1d-wasm';
import {
  addSteppers,
  Callout,
  element,
  fillSelect,
  input,
  numberIn,
  select,
  setText,
  textArea,
} from '../common/controls';
import { count, short } from '../common/format';
import { showFormula } from './formula';
import { KernelGrid } from './kernel-grid';
import * as kernels from '../common/kernels';
import { beyondPage, choices, explainError, LayerRunner, mostChannels } from './layer';
import type { LayerConfig, LayerResult, Problem } from './layer';
import { showBuild, showRun } from './figures';
import { KernelPlot, SignalPlot, TimeLink } from './plots';
import { fieldFor } from './problems';
import { makeSignal, mostCycles, mostSamples, shapes, type SignalName, type SignalSpec } from '../common/signals';

const custom = 'custom';
const paddingOf = { 'both ends': 1, 'left, right': 2 } as const;

/** Signal, kernel, layer and output: whatever is edited, all that depends on it is shown in the next frame. */
export class Playground {
  readonly #link = new TimeLink();
  readonly #inputPlot: SignalPlot;
  readonly #kernelPlot: KernelPlot;
  readonly #outputPlot: SignalPlot;
  readonly #bank: kernels.KernelBank;
  readonly #grid: KernelGrid;
  readonly #callouts: Callout[];
  #runner: LayerRunner | null = null;

  // The last that could be read or computed: what is wrong now leaves it as it was.
  #spec: SignalSpec = { shape: 'sines', length: 1, cycles: 1, noise: 0, seed: 1 };
  #channels = { inChannels: 1, outChannels: 1, groups: 1 };
  #signal: Float32Array[] = [];
  #signalKey = '';
  #shown: { result: LayerResult; config: LayerConfig } | null = null;
  #edited = '';
  #pending = false;
  #updates = 0;
  #textProblem: Problem | null = null;

  constructor() {
    this.#fillSelects();
    this.#bank = new kernels.KernelBank(mostChannels, this.#presetFields(true));
    this.#inputPlot = new SignalPlot(element('input-plot'), 'input', this.#link, (i) => this.#onInputCursor(i));
    this.#kernelPlot = new KernelPlot(element('kernel-plot'), {
      onTap: (k, value) => this.#editTap(k, value),
      onHover: (k) => this.#showTap(k),
    });
    this.#outputPlot = new SignalPlot(element('output-plot'), 'output', this.#link, (i) => this.#onOutputCursor(i));
    this.#grid = new KernelGrid(element('kernel-grid'), this.#bank, () => {
      this.#writeTaps();
      this.#markCustom();
      this.#schedule('kernel-grid');
    });
    this.#callouts = ['signal-form', 'kernel-form', 'layer-form'].map((id) => {
      addSteppers(element(id));
      return new Callout(element(id));
    });
    this.#listen();
    this.#writeTaps();
    this.#showTap(null);
    this.#update();
  }

  /** From now on there is an output. */
  start(runtime: Runtime): void {
    this.#runner = new LayerRunner(runtime);
    showBuild(runtime);
    this.#update();
  }

  fail(message: string): void {
    setText(element('output-veil'), `The library could not be loaded. ${message}`);
  }

  // ---- controls

  #fillSelects(): void {
    const labels = (table: Record<string, { label: string }>) => Object.values(table).map(({ label }) => label);
    fillSelect('shape', Object.keys(shapes), labels(shapes));
    fillSelect('preset', [...Object.keys(kernels.presets), custom], [...labels(kernels.presets), 'By hand']);
    for (const [id, values] of Object.entries(choices)) fillSelect(id, values);
  }

  #listen(): void {
    for (const id of ['signal-form', 'kernel-form', 'layer-form']) {
      element(id).addEventListener('submit', (event) => {
        event.preventDefault();
      });
      element(id).addEventListener('input', (event) => {
        const { id: field } = event.target as HTMLElement;
        this.#onKernelField(field);
        this.#schedule(field);
      });
    }
    const retap = (id: string, change: (taps: readonly number[]) => number[]) => {
      element(id).addEventListener('click', () => {
        this.#setTaps(change(this.#bank.get(this.#grid.selection)));
        this.#schedule('kernel-plot');
      });
    };
    retap('normalise', kernels.normalised);
    retap('reverse', (taps) => taps.toReversed());

    const zoomed = element('reset-zoom') as HTMLButtonElement;
    zoomed.addEventListener('click', () => this.#link.zoomTo(null));
    this.#link.onZoom = (isZoomed) => {
      zoomed.disabled = !isZoomed;
    };
    for (const id of ['input-values', 'output-values']) {
      element(id)
        .closest('details')
        ?.addEventListener('toggle', () => this.#writeValues());
    }
  }

  #onKernelField(field: string): void {
    // Half of what is being typed may be a kernel, too, and must not cut the others short for good.
    if (field !== this.#edited) this.#bank.keep();
    if (field === 'preset') {
      if (select('preset').value !== custom) this.#setTaps(this.#presetFields(true), false);
    } else if (field === 'tap-count' || field.startsWith('parameter-')) {
      const problem = tapCountProblem(numberIn('tap-count'));
      this.#textProblem = problem;
      if (problem) return;
      this.#bank.restore();
      const isCustom = select('preset').value === custom;
      const taps = isCustom
        ? kernels.resized(this.#bank.get(this.#grid.selection), numberIn('tap-count'))
        : this.#presetFields(false);
      this.#setTaps(taps, isCustom);
    } else if (field === 'taps') {
      const taps = kernels.parseTaps(textArea('taps').value);
      this.#textProblem = typeof taps === 'string' ? { field: 'taps', sentence: taps, detail: '' } : null;
      if (typeof taps === 'string') return;
      this.#bank.restore();
      this.#bank.set(this.#grid.selection, taps);
      this.#markCustom();
    }
  }

  /** The chosen preset's taps; `fresh` puts its own numbers into the fields first. */
  #presetFields(fresh: boolean): number[] {
    const name = select('preset').value as kernels.PresetName;
    const preset: kernels.Preset = kernels.presets[name];
    const values = preset.parameters.map((parameter, i) => {
      const field = input(`parameter-${i}`);
      const value = fresh || field.value === '' ? parameter.value : field.valueAsNumber;
      return Math.min(parameter.max, Math.max(parameter.min, value));
    });
    if (fresh) {
      input('tap-count').value = String(preset.size);
      this.#showParameters(preset);
    }
    return kernels.presetTaps(name, numberIn('tap-count'), values);
  }

  #showParameters({ parameters }: Pick<kernels.Preset, 'parameters'>): void {
    for (const i of [0, 1]) {
      const field = input(`parameter-${i}`);
      const parameter = parameters[i];
      field.closest<HTMLElement>('.field')?.toggleAttribute('data-unused', !parameter);
      if (!parameter) continue;
      setText(element(`parameter-${i}-label`), parameter.label);
      const { min, max, step, value } = parameter;
      Object.assign(field, { min: String(min), max: String(max), step: String(step), value: String(value) });
    }
  }

  #setTaps(taps: readonly number[], byHand = true): void {
    this.#bank.set(this.#grid.selection, taps);
    this.#textProblem = null;
    this.#writeTaps();
    if (byHand) this.#markCustom();
  }

  #editTap(k: number, value: number): void {
    this.#setTaps(this.#bank.get(this.#grid.selection).map((tap, i) => (i === k ? value : tap)));
    this.#showTap(k);
    this.#schedule('kernel-plot');
  }

  #writeTaps(): void {
    textArea('taps').value = kernels.writeTaps(this.#bank.get(this.#grid.selection));
  }

  #markCustom(): void {
    select('preset').value = custom;
    input('tap-count').value = String(this.#bank.size);
    this.#showParameters({ parameters: [] });
  }

  // ---- from the controls to the plots

  /** `edited` is a field, or what else somebody used. */
  #schedule(edited: string): void {
    this.#edited = edited;
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => {
      this.#pending = false;
      this.#update();
    });
  }

  #update(): void {
    const config = this.#readLayer();
    const signalProblem = this.#readSignal();
    let problem = signalProblem ?? this.#textProblem ?? beyondPage(config);
    if (!problem) this.#readChannels(config);
    this.#drawInput();
    this.#drawKernel(config);
    if (!problem && this.#runner) problem = this.#run(this.#runner, config);
    this.#showProblem(problem);
    // For those who wait for an edit to be on screen.
    element('playground').dataset.updates = String(++this.#updates);
  }

  #readSignal(): Problem | null {
    const length = numberIn('length');
    const cycles = numberIn('cycles');
    const noise = numberIn('noise') / 100;
    const shape = select('shape').value as SignalName;
    setText(element('noise-value'), `${numberIn('noise')} %`);
    input('cycles').disabled = !shapes[shape].repeats;
    if (!(Number.isInteger(length) && length >= 1 && length <= mostSamples)) {
      return { field: 'length', sentence: `The length is a whole number from 1 to ${count(mostSamples)}.`, detail: '' };
    }
    if (!(cycles > 0 && cycles <= mostCycles)) {
      return { field: 'cycles', sentence: `The shape repeats more than 0 and up to ${mostCycles} times.`, detail: '' };
    }
    this.#spec = { shape, length, cycles, noise, seed: 1 };
    return null;
  }

  #readLayer(): LayerConfig {
    const rule = select('padding').value;
    const given = rule in paddingOf ? paddingOf[rule as keyof typeof paddingOf] : 0;
    input('padLeft').disabled = given === 0;
    input('padRight').disabled = given < 2;
    input('biasValue').disabled = !input('bias').checked;
    input('slope').disabled = select('activation').value !== 'leaky_relu';
    input('kernelSize').value = String(this.#bank.size);
    const left = numberIn('padLeft');
    return {
      inChannels: numberIn('inChannels'),
      outChannels: numberIn('outChannels'),
      kernelSize: this.#bank.size,
      stride: numberIn('stride'),
      dilation: numberIn('dilation'),
      padding: given === 2 ? [left, numberIn('padRight')] : given === 1 ? left : (rule as 'same'),
      groups: numberIn('groups'),
      bias: input('bias').checked,
      convMode: select('convMode').value as 'cross_correlation',
      computeMode: select('computeMode').value as 'default',
      paddingMode: select('paddingMode').value as 'zeros',
      dtype: select('dtype').value as 'float32',
      activation:
        select('activation').value === 'leaky_relu'
          ? { type: 'leaky_relu', slope: numberIn('slope') }
          : (select('activation').value as 'none'),
      algorithm: select('algorithm').value as 'auto',
      biasValue: numberIn('biasValue'),
    };
  }

  #readChannels({ inChannels, outChannels, groups }: LayerConfig): void {
    const whole = [inChannels, outChannels, groups].every((n) => Number.isInteger(n) && n >= 1);
    if (whole && inChannels % groups === 0 && outChannels % groups === 0) {
      this.#channels = { inChannels, outChannels, groups };
    }
  }

  #drawInput(): void {
    const key = JSON.stringify([this.#spec, this.#channels.inChannels]);
    if (key === this.#signalKey) return;
    this.#signalKey = key;
    this.#signal = makeSignal(this.#spec, this.#channels.inChannels);
    this.#link.setFull(0, this.#spec.length - 1);
    this.#inputPlot.show(times(this.#spec.length, 1), this.#signal);
    this.#writeValues();
  }

  #drawKernel({ dilation }: LayerConfig): void {
    const { inChannels, outChannels, groups } = this.#channels;
    this.#grid.show(inChannels, outChannels, groups);
    const taps = this.#bank.get(this.#grid.selection);
    const others: (readonly number[])[] = [];
    for (let o = 0; o < outChannels; ++o) {
      for (const c of kernels.inputsOf(o, inChannels, outChannels, groups)) {
        const other = this.#bank.get({ o, c });
        if (other.some((tap, k) => tap !== taps[k])) others.push(other);
      }
    }
    this.#kernelPlot.show(taps, others, dilation >= 1 && dilation <= 1000 ? Math.round(dilation) : 1);
  }

  #run(runner: LayerRunner, config: LayerConfig): Problem | null {
    try {
      const weight = () => this.#bank.weight(config.inChannels, config.outChannels, config.groups);
      const result = runner.run(config, weight, this.#signal);
      this.#shown = { result, config };
    } catch (error) {
      if (!(error instanceof Conv1dError)) throw error;
      return explainError(error, config, this.#spec.length);
    }
    this.#showResult(runner.runtime, this.#shown.result, config);
    return null;
  }

  #showResult(runtime: Runtime, result: LayerResult, config: LayerConfig): void {
    const [left, right] = result.padding;
    if (typeof config.padding === 'string') {
      input('padLeft').value = String(left);
      input('padRight').value = String(right);
    } else if (typeof config.padding === 'number') {
      input('padRight').value = String(right);
    }
    element('output-veil').hidden = true;
    this.#link.setFull(0, Math.max(this.#spec.length - 1, (result.outLength - 1) * config.stride));
    this.#inputPlot.follow();
    this.#outputPlot.show(times(result.outLength, config.stride), result.channels);
    showFormula(config, this.#spec.length, result.padding, result.outLength);
    setText(element('layer-text'), result.text);
    showRun(runtime, result);
    this.#writeValues();
  }

  #showProblem(problem: Problem | null): void {
    const field = problem && fieldFor(problem, this.#edited, this.#callouts);
    for (const callout of this.#callouts) {
      if (problem && field && callout.has(field)) callout.show(field, problem.sentence);
      else callout.clear();
    }
    const stale = element('stale');
    stale.hidden = problem === null || this.#shown === null;
    setText(stale, problem ? `This is the last good output. ${problem.detail || problem.sentence}` : '');
    element('output-plot').toggleAttribute('data-stale', !stale.hidden);
  }

  // ---- what is under the cursor

  #onInputCursor(index: number | null): void {
    this.#inputPlot?.describe(index);
    const values = index === null ? [] : this.#signal.map((channel) => short(channel[index] ?? NaN));
    showReadout('input-readout', index === null ? 'Drag across to zoom in' : `x[${index}]`, values);
  }

  #onOutputCursor(index: number | null): void {
    this.#outputPlot?.describe(index);
    const shown = this.#shown;
    if (index === null || !shown) {
      this.#inputPlot.markBand(null);
      showReadout('output-readout', shown ? 'Hover to see what each sample is made of' : '', []);
      return;
    }
    const { stride, dilation, kernelSize } = shown.config;
    const first = index * stride - shown.result.padding[0];
    this.#inputPlot.markBand([first, first + dilation * (kernelSize - 1)]);
    const values = shown.result.channels.map((channel) => short(channel[index] ?? NaN));
    showReadout('output-readout', `y[${index}]`, values);
  }

  #showTap(k: number | null): void {
    const tap = k === null ? undefined : this.#bank.get(this.#grid.selection)[k];
    showReadout(
      'kernel-readout',
      tap === undefined ? 'Drag the dots up and down' : `w[${k}]`,
      tap === undefined ? [] : [short(tap)],
    );
  }

  /** Into the text fields that are open. */
  #writeValues(): void {
    const write = (id: string, channels: readonly Float32Array[]) => {
      const area = textArea(id);
      if (!area.closest('details')?.open) return;
      area.value = channels
        .map((channel) => Array.from(channel, (value) => Number(value.toPrecision(9))).join(', '))
        .join('\n');
    };
    write('input-values', this.#signal);
    write('output-values', this.#shown?.result.channels ?? []);
  }
}

/** Multiples of `step`, from 0. */
function times(length: number, step: number): Float64Array {
  return new Float64Array(length).map((_, i) => i * step);
}

function tapCountProblem(size: number): Problem | null {
  if (Number.isInteger(size) && size >= 1 && size <= kernels.mostTaps) return null;
  return { field: 'tap-count', sentence: `A kernel here has from 1 to ${count(kernels.mostTaps)} taps.`, detail: '' };
}

/** A name and one value for each channel, in the channels' colours; without values it is a hint. */
function showReadout(id: string, name: string, values: readonly string[]): void {
  const parts = [name, ...values].map((text, i) => {
    const part = document.createElement(i === 0 ? 'span' : 'b');
    part.textContent = text;
    if (i > 0) part.dataset.channel = String(i);
    else if (values.length === 0) part.className = 'hint';
    return part;
  });
  element(id).replaceChildren(...parts);
}
