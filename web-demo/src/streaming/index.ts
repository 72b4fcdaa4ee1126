import { Tensor, type Runtime } from 'conv1d-wasm';
import { Callout, element, fillSelect, input, numberIn, select, setText, textArea } from '../common/controls';
import { count, measured, plural, short } from '../common/format';
import { makeSignal, shapes, type SignalName } from '../common/signals';
import type { Page } from '../page';
import { presets, type Preset, type PresetName } from './networks';
import { StreamPlots } from './plots';
import { cutSignal, StreamRun } from './stream-run';
import html from './streaming.html?raw';
import './style.css';

const length = 16384;
const mostChunk = 4096;
const frameMilliseconds = 7; // of pushing in a frame, which leaves the rest to drawing
const rate = 48000; // of sound that a push would keep up with

// The slider goes through the sizes evenly by their ratio.
const sizes = [...new Set(Array.from({ length: 12 * 8 + 1 }, (_, i) => Math.round(2 ** (i / 8))))];

const stateOf = (page: Page) =>
  page.state('streaming', { shape: 'speech', network: 'dilated', chunk: 300, random: false, seed: 1 });

export async function mount(root: HTMLElement, page: Page): Promise<void> {
  root.innerHTML = html;
  const panel = new StreamingPanel(stateOf(page));
  try {
    panel.start(await page.runtime);
  } catch (error) {
    panel.say(`The library could not be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** A signal and what it goes through, with what comes out when it does so in one go. */
function makeSubject(shape: SignalName, network: PresetName, runtime: Runtime) {
  const { stride, make }: Preset = presets[network];
  const { source, layers } = make(runtime);
  const signal = makeSignal({ shape, length, cycles: 12, noise: 0.03, seed: 1 }, 1)[0] ?? new Float32Array(length);
  const offline = source.forward(new Tensor(signal, [1, length])).data as Float32Array;
  const dispose = () => {
    for (const layer of layers) layer.dispose();
  };
  return { shape, network, stride, source, signal, offline, dispose };
}

class StreamingPanel {
  readonly #plots: StreamPlots;
  #runtime: Runtime | null = null;
  #subject: ReturnType<typeof makeSubject> | null = null;
  #run: StreamRun | null = null;
  readonly #callout = new Callout(element('streaming-form'));
  #chunk = 1;
  #seed: number;
  #isStale = false;
  #isWorking = false;

  constructor(readonly state: ReturnType<typeof stateOf>) {
    const { shape, network, chunk, random, seed } = state.get();
    const names = Object.keys(presets);
    fillSelect(
      'streaming-shape',
      Object.keys(shapes),
      Object.values(shapes).map(({ label }) => label),
    );
    fillSelect(
      'streaming-network',
      names,
      Object.values(presets).map(({ label }) => label),
    );
    select('streaming-shape').value = shape in shapes ? shape : 'speech';
    select('streaming-network').value = network in presets ? network : 'dilated';
    input('streaming-slider').max = String(sizes.length - 1);
    input('streaming-random').checked = random;
    this.#seed = seed;
    this.#setChunk(Math.min(mostChunk, Math.max(1, Math.round(chunk))));

    this.#plots = new StreamPlots(element('streaming-input'), element('streaming-output'), (visible, drawn) =>
      setText(element('streaming-cuts-note'), drawn ? '' : `${count(visible)} cuts, closer than pixels: zoom in`),
    );
    this.#listen();
  }

  start(runtime: Runtime): void {
    this.#runtime = runtime;
    this.#restart();
  }

  say(verdict: string): void {
    setText(element('streaming-verdict'), verdict);
  }

  #listen(): void {
    const onClick = (name: string, act: () => void) => element(`streaming-${name}`).addEventListener('click', act);
    onClick('zoom-in', () => this.#plots.zoom(0.5));
    onClick('zoom-out', () => this.#plots.zoom(2));
    onClick('earlier', () => this.#plots.zoom(1, -0.5));
    onClick('later', () => this.#plots.zoom(1, 0.5));
    onClick('new-cuts', () => {
      this.#seed++;
      this.#restart();
    });
    element('streaming-values').addEventListener('toggle', () => this.#showValues());
    element('streaming-flip').addEventListener('input', () => this.#restart());
    element('streaming-form').addEventListener('submit', (event) => event.preventDefault());
    element('streaming-form').addEventListener('input', ({ target }) => {
      if (target === input('streaming-slider')) this.#setChunk(sizes[numberIn('streaming-slider')] ?? 1);
      else if (target === input('streaming-chunk') && !this.#takeChunk()) return;
      this.#restart();
    });
  }

  #setChunk(chunk: number): void {
    input('streaming-chunk').value = String(chunk);
    this.#takeChunk();
  }

  /** Whether the number field has a size that can be used. */
  #takeChunk(): boolean {
    const chunk = numberIn('streaming-chunk');
    if (!Number.isInteger(chunk) || chunk < 1 || chunk > mostChunk) {
      this.#callout.show('streaming-chunk', `A whole number from 1 to ${count(mostChunk)}.`);
      return false;
    }
    this.#callout.clear();
    this.#chunk = chunk;
    const slider = input('streaming-slider');
    slider.value = String(sizes.findLastIndex((size) => size <= chunk));
    slider.setAttribute('aria-valuetext', plural(chunk, 'sample'));
    setText(element('streaming-chunk-value'), count(chunk));
    return true;
  }

  /** Streams what is chosen now, from the next frame on. */
  #restart(): void {
    const isRandom = input('streaming-random').checked;
    (element('streaming-new-cuts') as HTMLButtonElement).disabled = !isRandom;
    const [shape, network] = [select('streaming-shape').value, select('streaming-network').value];
    this.state.set({ shape, network, chunk: this.#chunk, random: isRandom, seed: this.#seed });
    element('streaming-view').ariaBusy = 'true';
    this.#isStale = true;
    if (!this.#runtime || this.#isWorking) return;
    this.#isWorking = true;
    requestAnimationFrame(() => this.#work(this.#runtime));
  }

  #work(runtime: Runtime | null): void {
    if (!runtime) return;
    if (this.#isStale) this.#run = this.#begin(runtime);
    this.#isStale = false;
    const run = this.#run;
    if (!run) return;
    const was = run.isComplete;
    run.advance(frameMilliseconds);
    if (!was) this.#plots.showStreamed(run.streamed, run.outputs);
    this.#showFigures(run);
    if (run.isComplete && !was) this.#conclude(run);
    this.#isWorking = !run.isDone;
    if (this.#isWorking) requestAnimationFrame(() => this.#work(runtime));
  }

  #begin(runtime: Runtime): StreamRun {
    const shape = select('streaming-shape').value as SignalName;
    const network = select('streaming-network').value as PresetName;
    this.#run?.dispose();
    if (this.#subject?.shape !== shape || this.#subject.network !== network) {
      this.#subject?.dispose();
      this.#subject = makeSubject(shape, network, runtime);
      setText(element('streaming-text'), this.#subject.source.toString());
      this.#plots.showSubject(this.#subject);
    }
    const ends = cutSignal(length, this.#chunk, input('streaming-random').checked ? this.#seed : null);
    this.#plots.showCuts(ends.slice(0, -1));
    const { offline } = this.#subject;
    return new StreamRun(this.#subject, ends, input('streaming-flip').checked ? offline.length >> 1 : null);
  }

  #showFigures(run: StreamRun): void {
    const { ends, latency, microsecondsPerPush, outputs } = run;
    const fill = (name: string, value: string, note: string) => {
      setText(element(`streaming-${name}`), value);
      setText(element(`streaming-${name}-note`), note);
    };
    fill('difference', short(run.difference), `${count(run.differing)} of ${count(outputs)} differ`);
    const size = input('streaming-random').checked ? `1 to ${count(this.#chunk)}` : count(this.#chunk);
    fill('pushes', count(ends.length), `of ${size}, and a flush`);
    const share = microsecondsPerPush / ((1e6 * length) / ends.length / rate);
    fill(
      'time',
      run.isDone ? `${measured(microsecondsPerPush)} µs` : '…',
      run.isDone ? `${(100 * share).toPrecision(2)} % at 48 kHz` : '',
    );
    fill('latency', plural(latency, 'sample'), latency > 0 ? 'looked ahead' : 'nothing looked ahead');
    fill('field', plural(run.receptiveField, 'sample'), 'in one output');
  }

  #conclude({ ends, subject: { offline }, outputs, differing }: StreamRun): void {
    const pieces = `In ${plural(ends.length, 'piece')}`;
    if (outputs !== offline.length) {
      this.say(`${pieces}: ${count(outputs)} outputs came, where offline has ${count(offline.length)}.`);
    } else if (differing > 0) {
      this.say(`${pieces}: ${count(differing)} of ${count(outputs)} outputs differ from those computed offline.`);
    } else {
      this.say(`${pieces}: all ${count(outputs)} outputs are those computed offline, to the last bit.`);
    }
    this.#showValues();
    element('streaming-view').ariaBusy = 'false';
  }

  #showValues(): void {
    if (!this.#run || !(element('streaming-values') as HTMLDetailsElement).open) return;
    textArea('streaming-offline-values').value = this.#run.subject.offline.join(', ');
    textArea('streaming-streamed-values').value = this.#run.streamed.join(', ');
  }
}
