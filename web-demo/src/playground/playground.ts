import { Conv1dError, type Runtime } from 'conv1d-wasm';
import { addSteppers, Callout, element, input, select, setText, textArea } from '../common/controls';
import { count, short } from '../common/format';
import * as kernels from '../common/kernels';
import type { Page, PanelState } from '../page';
import { showDotProduct, type Term } from './dot-product';
import { enableFields, fillSelects, readFields, showParameters, writeFields } from './fields';
import { showRun } from './figures';
import { showFormula } from './formula';
import { KernelGrid } from './kernel-grid';
import { KernelPlot } from './kernel-plot';
import { beyondPage, explainError, LayerRunner, splitProblem } from './layer';
import type { LayerConfig, LayerResult, Problem } from './layer';
import { OwnSignal } from './own-signal';
import { isOutside, readPadded } from './padding';
import { fieldFor } from './problems';
import { ResponsePlot } from './response';
import {
  allDefaults,
  bankOf,
  custom,
  freePaddings,
  layerOf,
  parametersOf,
  shortened,
  sourceOf,
  understood,
  type Fields,
  type Settings,
} from './settings';
import { SignalPlot, TimeLink } from './signal-plot';
import { drawingOf, drawLine, makeSource, ownRecording, sourceProblem, writeDrawing, type SourceSpec } from './source';

// What is shown of a file at first: an edit of so much is on screen in one frame.
const firstLook = 10_000;

/** Signal, kernel, layer and output: whatever is edited, all that depends on it is shown in the next frame. */
export class Playground {
  readonly #state: PanelState<Settings>;
  readonly #link = new TimeLink();
  readonly #inputPlot: SignalPlot;
  readonly #kernelPlot: KernelPlot;
  readonly #responsePlot: ResponsePlot;
  readonly #outputPlot: SignalPlot;
  readonly #bank: kernels.KernelBank;
  readonly #grid: KernelGrid;
  readonly #callouts: Callout[];
  readonly #own: OwnSignal;
  #runner: LayerRunner | null = null;

  // The last that could be read or computed: what is wrong now leaves it as it was.
  #spec: SourceSpec;
  #channels: Pick<LayerConfig, 'inChannels' | 'outChannels' | 'groups'> = { inChannels: 1, outChannels: 1, groups: 1 };
  #signal: Float32Array[] = [];
  #signalKey = '';
  #drawnKey = '';
  #shown: { result: LayerResult; config: LayerConfig } | null = null;
  #recordings = 0;
  #edited = '';
  #pending = false;
  #updates = 0;
  #textProblem: Problem | null = null;

  constructor(page: Page) {
    this.#state = page.state('playground', allDefaults);
    const settings = understood(this.#state.get());
    fillSelects();
    writeFields(settings);
    showParameters(settings.preset);
    this.#spec = sourceOf(settings);
    this.#bank = bankOf(settings);
    input('tap-count').value = String(this.#bank.size);

    this.#inputPlot = new SignalPlot(element('input-plot'), 'input', this.#link, (i) => this.#onInputCursor(i));
    this.#kernelPlot = new KernelPlot(element('kernel-plot'), {
      onTap: (k, value) => this.#editTap(k, value),
      onHover: (k) => this.#showTap(k),
    });
    this.#responsePlot = new ResponsePlot(element('response-plot'), (at) => {
      const values = at ? [`${short(at.gain)} dB`] : [];
      showReadout('response-readout', at ? `at ${short(at.frequency)} cycles/sample` : '', values);
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
    this.#own = new OwnSignal(element('signal-card'), ({ channels: [first = new Float32Array()] }) => {
      ++this.#recordings;
      select('shape').value = 'own';
      input('length').value = String(Math.min(first.length, firstLook));
      input('start').value = String(first.length > firstLook ? firstLoud(first) : 0);
      input('noise').value = '0';
      this.#setDrawing(false);
      this.#schedule('shape');
    });
    this.#listen();
    this.#writeTaps();
    this.#showTap(null);
    this.#update();
  }

  /** From now on there is an output. */
  start(runtime: Runtime): void {
    this.#runner = new LayerRunner(runtime);
    this.#update();
  }

  fail(message: string): void {
    setText(element('output-veil'), `The library could not be loaded. ${message}`);
  }

  // ---- controls

  #listen(): void {
    for (const id of ['signal-form', 'kernel-form', 'layer-form']) {
      element(id).addEventListener('submit', (event) => {
        event.preventDefault();
      });
      element(id).addEventListener('input', (event) => {
        const { id: field } = event.target as HTMLElement;
        if (field === 'file') return;
        if (field === 'shape') this.#onShape();
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
    element('draw').addEventListener('click', () => this.#setDrawing(this.#inputPlot.onDraw === null));

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

  #onShape(): void {
    const { value } = select('shape');
    this.#setDrawing(value === 'drawn');
    if (value === 'own' && ownRecording() === null) {
      this.#own.say('Open a file (.wav, .csv, .txt or another sound), drop one here, or record with the microphone.');
    }
  }

  /** Whether the pointer draws on the input. A drawing begins as the signal that is there. */
  #setDrawing(on: boolean): void {
    element('draw').setAttribute('aria-pressed', String(on));
    element('input-plot').toggleAttribute('data-drawing', on);
    if (on && this.#spec.shape !== 'drawn') {
      this.#spec = { ...this.#spec, drawn: drawingOf(this.#signal[0] ?? new Float32Array(1)) };
      input('noise').value = '0';
    }
    if (on) select('shape').value = 'drawn';
    this.#inputPlot.onDraw = on
      ? (from, to) => {
          this.#spec = { ...this.#spec, drawn: drawLine(this.#spec.drawn, this.#spec.length, from, to) };
          this.#schedule('input-plot');
        }
      : null;
    this.#schedule('draw');
  }

  #onKernelField(field: string): void {
    // Half of what is being typed may be a kernel, too, and must not cut the others short for good.
    if (field !== this.#edited) this.#bank.keep();
    const fields = readFields();
    const isCustom = fields.preset === custom;
    if (field === 'preset') {
      if (!isCustom) this.#choosePreset(fields.preset as kernels.PresetName);
    } else if (field === 'tap-count' || field.startsWith('parameter-')) {
      const problem = tapCountProblem(fields['tap-count']);
      this.#textProblem = problem;
      if (problem) return;
      this.#bank.restore();
      const taps = isCustom
        ? kernels.resized(this.#bank.get(this.#grid.selection), fields['tap-count'])
        : kernels.presetTaps(fields.preset as kernels.PresetName, fields['tap-count'], parametersOf(fields));
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

  /** A preset comes with numbers of its own. */
  #choosePreset(name: kernels.PresetName): void {
    const { size, parameters }: kernels.Preset = kernels.presets[name];
    input('tap-count').value = String(size);
    showParameters(name);
    for (const [i, { value }] of parameters.entries()) input(`parameter-${i}`).value = String(value);
    this.#setTaps(
      kernels.presetTaps(
        name,
        size,
        parameters.map(({ value }) => value),
      ),
      false,
    );
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
    showParameters(custom);
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
    const fields = readFields();
    enableFields(fields);
    input('kernelSize').value = String(this.#bank.size);
    const config = layerOf(fields, this.#bank.size);
    let problem = this.#readSource(fields) ?? this.#textProblem ?? beyondPage(config);
    if (!problem && !splitProblem(config)) this.#channels = config;
    this.#makeInput();
    this.#drawInput();
    this.#drawKernel(config);
    if (!problem && this.#runner) problem = this.#run(this.#runner, config);
    if (!problem) this.#keepState(fields);
    this.#showProblem(problem);
    // For those who wait for an edit to be on screen.
    element('playground').dataset.updates = String(++this.#updates);
  }

  /** What computes is what the address holds. */
  #keepState(fields: Fields): void {
    const { preset } = fields;
    const bank = kernels.writeBank(this.#bank);
    const isPreset = preset !== custom && bank === kernels.writeBank(bankOf({ ...allDefaults, ...fields }));
    const free = freePaddings(fields.padding);
    this.#state.set({
      ...shortened({ ...fields, preset: isPreset ? preset : custom }),
      padLeft: free > 0 ? fields.padLeft : allDefaults.padLeft,
      padRight: free > 1 ? fields.padRight : allDefaults.padRight,
      kernels: isPreset ? '' : bank,
      drawn: this.#spec.shape === 'drawn' ? writeDrawing(this.#spec.drawn) : '',
    });
  }

  #readSource(fields: Fields): Problem | null {
    const spec = { ...sourceOf({ ...allDefaults, ...fields }), drawn: this.#spec.drawn };
    const problem = sourceProblem(spec);
    if (!problem) this.#spec = spec;
    return problem;
  }

  #makeInput(): void {
    const key = JSON.stringify([this.#spec, this.#channels.inChannels, this.#recordings]);
    if (key === this.#signalKey) return;
    this.#signalKey = key;
    this.#signal = makeSource(this.#spec, this.#channels.inChannels);
  }

  #drawInput(): void {
    const { length } = this.#spec;
    const { result, config } = this.#shown ?? {};
    const [left, right] = result?.padding ?? [0, 0];
    const last = result && config ? (result.outLength - 1) * config.stride : 0;
    this.#link.setFull(-left, Math.max(length - 1 + right, last));
    const mode = config?.paddingMode ?? 'zeros';
    const key = JSON.stringify([this.#signalKey, left, right, mode, last]);
    if (key === this.#drawnKey) return;
    this.#drawnKey = key;
    this.#inputPlot.show(times(length, 1), this.#signal, { left, right, mode });
    this.#writeValues();
  }

  #drawKernel(config: LayerConfig): void {
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
    const dilation = config.dilation >= 1 && config.dilation <= 1000 ? Math.round(config.dilation) : 1;
    this.#kernelPlot.show(taps, others, dilation);
    this.#responsePlot.show(taps, dilation);
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
    this.#drawInput();
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
    const mode = this.#shown?.config.paddingMode ?? 'zeros';
    const values = index === null ? [] : this.#signal.map((channel) => short(readPadded(channel, index, mode)));
    const isPadding = index !== null && isOutside(index, this.#spec.length);
    const hint = this.#inputPlot?.onDraw ? 'Draw with the pointer' : 'Drag across to zoom in';
    showReadout('input-readout', index === null ? hint : `x[${index}]`, values, isPadding ? mode : '');
  }

  #onOutputCursor(index: number | null): void {
    this.#outputPlot?.describe(index);
    const shown = this.#shown;
    const values = index === null ? [] : (shown?.result.channels.map((channel) => short(channel[index] ?? NaN)) ?? []);
    showReadout('output-readout', index === null || !shown ? '' : `y[${index}]`, values);
    if (index === null || !shown) {
      this.#inputPlot.markBand(null);
      this.#inputPlot.mark([]);
      showDotProduct(
        element('dot'),
        null,
        'Point at the output, or walk along it with the arrow keys: here is what each sample is made of.',
      );
      return;
    }
    const { config, result } = shown;
    const { stride, dilation, kernelSize, activation } = config;
    const first = index * stride - result.padding[0];
    const terms = this.#termsOf(first, config);
    const most = Math.max(...terms.map(({ weight }) => Math.abs(weight))) || 1;
    this.#inputPlot.markBand([first, first + dilation * (kernelSize - 1)]);
    this.#inputPlot.mark(
      terms.map(({ index, c, sample, weight }) => ({ index, c, value: sample, strength: Math.abs(weight) / most })),
    );
    const o = this.#shownOutput();
    const sum = {
      t: index,
      o,
      terms,
      bias: config.bias ? config.biasValue : null,
      activation: typeof activation === 'string' ? activation : activation.type,
      result: result.channels[o]?.[index] ?? NaN,
    };
    showDotProduct(element('dot'), sum, '');
  }

  /** The output channel whose samples are taken apart: that of the kernel that is edited. */
  #shownOutput(): number {
    const { selection } = this.#grid;
    return selection === 'all' ? 0 : selection.o;
  }

  /** The products of one output whose window begins at `first`. */
  #termsOf(first: number, { inChannels, outChannels, groups, dilation, paddingMode }: LayerConfig): Term[] {
    const o = this.#shownOutput();
    return kernels.inputsOf(o, inChannels, outChannels, groups).flatMap((c) => {
      const channel = this.#signal[c] ?? new Float32Array();
      return this.#bank.get({ o, c }).map((weight, k) => {
        const index = first + k * dilation;
        const isPadding = isOutside(index, channel.length);
        return { k, c, index, weight, sample: readPadded(channel, index, paddingMode), isPadding };
      });
    });
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

/** Where a signal first reaches a tenth of its peak. */
function firstLoud(signal: Float32Array): number {
  const peak = signal.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const first = signal.findIndex((value) => Math.abs(value) >= peak / 10);
  return Math.max(0, Math.min(first, signal.length - firstLook));
}

function tapCountProblem(size: number): Problem | null {
  if (Number.isInteger(size) && size >= 1 && size <= kernels.mostTaps) return null;
  return { field: 'tap-count', sentence: `A kernel here has from 1 to ${count(kernels.mostTaps)} taps.`, detail: '' };
}

/** A name, one value for each channel in the channels' colours and a remark; without values the name is a hint. */
function showReadout(id: string, name: string, values: readonly string[], remark = ''): void {
  const parts = [name, ...values].map((text, i) => {
    const part = document.createElement(i === 0 ? 'span' : 'b');
    part.textContent = text;
    if (i > 0) part.dataset.channel = String(i);
    else if (values.length === 0) part.className = 'hint';
    return part;
  });
  const last = document.createElement('span');
  last.textContent = remark;
  element(id).replaceChildren(...parts, ...(remark ? [last] : []));
}
