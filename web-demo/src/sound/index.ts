import type { ConvolverLoad } from 'conv1d-wasm';
import { element, input, setText } from '../common/controls';
import { count, short } from '../common/format';
import { readSound } from '../common/samples';
import type { Page, PanelState, Widened } from '../page';
import { type EffectName, effects, type MadeEffect, type Settings } from './effects';
import { makeLoop } from './loop';
import type { Levels } from './rig';
import { renderOffline, Session, type Source } from './session';
import html from './sound.html?raw';
import { Spectrum } from './spectrum';
import './style.css';

const defaults = {
  source: 'loop',
  effect: 'equaliser',
  low: 8,
  peakHz: 1000,
  peak: -15,
  high: 6,
  seconds: 1.2,
  drive: 24,
  mix: 1,
  level: -6,
};

type State = Widened<typeof defaults>;

interface Slider {
  name: keyof Settings;
  effect: EffectName;
  label: string;
  min: number;
  max: number;
  step: number;
  /** How a position of the slider is a value and back, where it is not itself. */
  scale?: { value(position: number): number; position(value: number): number };
  text: (value: number) => string;
}

const decibels = (value: number) => `${value > 0 ? '+' : ''}${short(value)} dB`;
const octavesOf100 = {
  value: (position: number) => Math.round(100 * 2 ** position),
  position: (hertz: number) => Math.log2(hertz / 100),
};
const gain = { min: -18, max: 18, step: 1, text: decibels };

const sliders: readonly Slider[] = [
  { name: 'low', effect: 'equaliser', label: 'Low shelf', ...gain },
  { name: 'high', effect: 'equaliser', label: 'High shelf', ...gain },
  { name: 'peak', effect: 'equaliser', label: 'Peak', ...gain },
  {
    name: 'peakHz',
    effect: 'equaliser',
    label: 'Peak at',
    min: 0,
    max: Math.log2(80),
    step: 0.01,
    scale: octavesOf100,
    text: (hertz) => `${count(hertz)} Hz`,
  },
  {
    name: 'seconds',
    effect: 'reverb',
    label: 'Length',
    min: 0.3,
    max: 2,
    step: 0.1,
    text: (seconds) => `${short(seconds)} s`,
  },
  { name: 'drive', effect: 'amp', label: 'Drive', min: 0, max: 36, step: 1, text: decibels },
];

const abouts: Record<string, string> = {
  loop: 'Two bars of drums, bass and chords, synthesised in this page.',
  microphone: 'What the microphone hears comes out again: wear headphones, or it howls. Nothing leaves this page.',
  file: 'Or drop a sound here.',
};

/** Reports of the load over which the shown one is a mean: about four seconds. */
const meanOver = 16;
const longestSave = 600;
const loopRate = 48_000;

const clamp = (value: number, min: number, max: number) => Math.min(max, Math.max(min, value));
const wordsOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

export function mount(root: HTMLElement, page: Page): void {
  root.innerHTML = html;
  const panel = new SoundPanel(page);
  page.onShown('sound', (shown) => {
    panel.isShown = shown;
    if (!shown) void panel.stop();
  });
}

class SoundPanel {
  isShown = true;
  readonly #state: PanelState<State>;
  readonly #spectrum = new Spectrum(element('sound-spectrum'));
  #session: Session | null = null;
  #isBusy = false;
  #file: { name: string; buffer: AudioBuffer } | null = null;
  #shares: number[] = [];
  #dropouts = 0;

  constructor(readonly page: Page) {
    this.#state = page.state('sound', defaults);
    this.#buildEffects();
    this.#buildSliders();
    this.#bind();
    this.#showAll();
  }

  /** What is set; an address may say what no slider can. */
  get #values(): State {
    const values = this.#state.get();
    for (const { name, min, max, scale } of sliders) {
      const [least, most] = [min, max].map((position) => scale?.value(position) ?? position) as [number, number];
      values[name] = clamp(values[name], least, most);
    }
    return { ...values, mix: clamp(values.mix, 0, 1), level: clamp(values.level, -40, 6) };
  }

  get #effect(): EffectName {
    const { effect } = this.#values;
    return effect in effects ? (effect as EffectName) : (defaults.effect as EffectName);
  }

  readonly #makeEffect = (sampleRate: number): MadeEffect => {
    const made = effects[this.#effect].make(this.#values, sampleRate);
    showEffect(made, sampleRate);
    return made;
  };

  // ---- building

  #buildEffects(): void {
    const choices = Object.entries(effects).map(([name, { label }]) => {
      const radio = document.createElement('input');
      Object.assign(radio, { type: 'radio', name: 'sound-effect', id: `sound-effect-${name}`, value: name });
      const box = document.createElement('label');
      box.append(radio, label);
      return box;
    });
    element('sound-effects').append(...choices);
  }

  #buildSliders(): void {
    for (const slider of sliders) {
      const { name, label, min, max, step } = slider;
      const field = document.createElement('div');
      field.dataset.effect = slider.effect;
      field.innerHTML = `<label for="sound-${name}">${label} <span class="value"></span></label>
        <input id="sound-${name}" type="range" min="${min}" max="${max}" step="${step}" />`;
      element('sound-sliders').append(field);
      const range = input(`sound-${name}`);
      range.addEventListener('input', () => {
        const position = range.valueAsNumber;
        this.#state.set({ [name]: slider.scale?.value(position) ?? position });
        this.#showSlider(slider);
        this.#changeEffect();
      });
    }
  }

  #bind(): void {
    element('sound-start').addEventListener('click', () => void (this.#session ? this.stop() : this.#start()));
    element('sound-save').addEventListener('click', () => void this.#save());
    element('sound-form').addEventListener('submit', (event) => event.preventDefault());
    for (const radio of this.#radios('sound-source')) {
      radio.addEventListener('change', () => void this.#chooseSource(radio.value));
    }
    for (const radio of this.#radios('sound-effect')) {
      radio.addEventListener('change', () => {
        const effect = radio.value as EffectName;
        this.#state.set({ effect, mix: effects[effect].mix });
        this.#showAll();
        this.#setLevels();
        this.#changeEffect();
      });
    }
    for (const name of ['mix', 'level'] as const) {
      input(`sound-${name}`).addEventListener('input', ({ target }) => {
        this.#state.set({ [name]: (target as HTMLInputElement).valueAsNumber });
        this.#showLevels();
        this.#setLevels();
      });
    }
    const chooser = input('sound-file');
    element('sound-choose').addEventListener('click', () => chooser.click());
    chooser.addEventListener('change', () => {
      const file = chooser.files?.[0];
      if (file) void this.#takeFile(file);
      // So that the same file, perhaps changed since, can be chosen again.
      chooser.value = '';
    });
    this.#bindDrop(document.querySelector<HTMLElement>('#sound .card'));
  }

  #bindDrop(card: HTMLElement | null): void {
    card?.addEventListener('dragover', (event) => {
      event.preventDefault();
      card.classList.add('dropping');
    });
    card?.addEventListener('dragleave', () => card.classList.remove('dropping'));
    card?.addEventListener('drop', (event) => {
      event.preventDefault();
      card.classList.remove('dropping');
      const file = event.dataTransfer?.files[0];
      if (file) void this.#takeFile(file);
    });
  }

  #radios(name: string): HTMLInputElement[] {
    return Array.from(document.querySelectorAll<HTMLInputElement>(`input[name='${name}']`));
  }

  // ---- showing

  #showAll(): void {
    const { source } = this.#values;
    for (const radio of this.#radios('sound-source')) radio.checked = radio.value === source;
    for (const radio of this.#radios('sound-effect')) radio.checked = radio.value === this.#effect;
    const file = source === 'file' ? this.#file : null;
    element('sound-choose').hidden = source !== 'file';
    setText(element('sound-source-about'), file?.name ?? abouts[source] ?? '');
    setText(element('sound-effect-about'), effects[this.#effect].lead);
    for (const field of document.querySelectorAll<HTMLElement>('#sound-sliders > div')) {
      field.hidden = field.dataset.effect !== this.#effect;
    }
    for (const slider of sliders) this.#showSlider(slider);
    this.#showLevels();
    this.#showTransport();
  }

  #showSlider({ name, scale, text }: Slider): void {
    const value = this.#values[name];
    const range = input(`sound-${name}`);
    const position = scale?.position(value) ?? value;
    if (Math.abs(range.valueAsNumber - position) > 1e-3) range.valueAsNumber = position;
    this.#label(range, text(value));
  }

  #label(range: HTMLInputElement, text: string): void {
    range.setAttribute('aria-valuetext', text);
    const value = range.labels?.[0]?.querySelector<HTMLElement>('.value');
    if (value) setText(value, text);
  }

  #showLevels(): void {
    const { mix, level } = this.#values;
    input('sound-mix').valueAsNumber = mix;
    input('sound-level').valueAsNumber = level;
    this.#label(input('sound-mix'), `${Math.round(100 * mix)} % wet`);
    this.#label(input('sound-level'), decibels(level));
  }

  #showTransport(): void {
    const start = element('sound-start') as HTMLButtonElement;
    start.setAttribute('aria-pressed', String(this.#session !== null));
    setText(start, this.#session ? 'Stop' : 'Start');
    start.disabled = this.#isBusy;
    (element('sound-save') as HTMLButtonElement).disabled = this.#isBusy || this.#values.source === 'microphone';
  }

  #say(text: string, kind: 'good' | 'bad' = 'good'): void {
    element('sound-say').dataset.kind = kind;
    setText(element('sound-say'), text);
  }

  readonly #onLoad = ({ share, dropouts }: ConvolverLoad): void => {
    this.#shares = [...this.#shares.slice(1 - meanOver), share];
    this.#dropouts += dropouts;
    const mean = this.#shares.reduce((a, b) => a + b) / this.#shares.length;
    this.#showLoad(mean);
    if (this.#session) showOwnDelay(this.#session.context);
    const underruns = playbackStats(this.#session?.context)?.underrunEvents;
    setText(element('sound-dropouts'), count(underruns ?? this.#dropouts));
    setText(
      element('sound-dropouts-note'),
      underruns === undefined ? 'sound that came too late' : 'told by the browser',
    );
  };

  #showLoad(share: number): void {
    setText(element('sound-load'), `${(100 * share).toFixed(1)} %`);
    const bar = element('sound-load-bar');
    bar.style.setProperty('--load', String(clamp(share, 0, 1)));
    bar.dataset.high = String(share > 0.7);
  }

  // ---- doing

  get #levels(): Levels {
    const { mix, level } = this.#values;
    return { mix, level: 10 ** (level / 20) };
  }

  /** What is to be played, once there is something. */
  #source(): Source {
    const { source } = this.#values;
    if (source === 'microphone') return 'microphone';
    if (source !== 'file') return 'loop';
    if (!this.#file) throw new Error('Choose a file first, or drop one here.');
    return this.#file.buffer;
  }

  /** One thing at a time; what goes wrong is said. */
  async #exclusively(act: () => Promise<void>): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#showTransport();
    try {
      await act();
    } catch (error) {
      this.#say(wordsOf(error), 'bad');
    }
    this.#isBusy = false;
    this.#showTransport();
  }

  #start(): Promise<void> {
    // Browsers let sound begin where a person clicks, so here and not after a wait.
    return this.#exclusively(async () => {
      const source = this.#source();
      const context = new AudioContext({ latencyHint: 'interactive' });
      this.#say('Starting.');
      await this.page.runtime.catch((error: unknown) => {
        void context.close();
        throw new Error(`The library could not be loaded: ${wordsOf(error)}`);
      });
      this.#dropouts = 0;
      const settings = JSON.stringify(this.#values);
      const session = await Session.start(context, source, this.#makeEffect, this.#levels, this.#onLoad);
      this.#session = session;
      this.#spectrum.start(session.rig.before, session.rig.after);
      // Something may have been changed meanwhile.
      if (JSON.stringify(this.#values) !== settings) {
        this.#setLevels();
        this.#changeEffect();
      }
      // It may have been left meanwhile, too.
      if (!this.isShown) return this.stop();
      this.#say(`Playing ${this.#sourceName()} at ${count(context.sampleRate)} samples a second.`);
    });
  }

  async stop(): Promise<void> {
    const session = this.#session;
    if (!session) return;
    this.#session = null;
    this.#spectrum.stop();
    element('sound-load-bar').style.setProperty('--load', '0');
    setText(element('sound-load'), '–');
    this.#showTransport();
    this.#say('Stopped.');
    await session.stop();
  }

  #sourceName(): string {
    const { source } = this.#values;
    if (source === 'file') return this.#file?.name ?? '';
    return source === 'microphone' ? 'what the microphone hears' : 'the loop';
  }

  #setLevels(): void {
    this.#session?.rig.setLevels(this.#levels);
  }

  #changeEffect(): void {
    const session = this.#session;
    if (!session) return;
    // The load is the new effect's from here on.
    this.#shares = [];
    session.rig
      .play(() => this.#makeEffect(session.context.sampleRate))
      .catch((error: unknown) => {
        if (session === this.#session) this.#say(wordsOf(error), 'bad');
      });
  }

  async #chooseSource(source: string): Promise<void> {
    const last = this.#values.source;
    this.#state.set({ source });
    this.#showAll();
    const session = this.#session;
    if (!session || (source === 'file' && !this.#file)) return;
    try {
      await session.setSource(this.#source());
      this.#say(`Playing ${this.#sourceName()}.`);
    } catch (error) {
      this.#state.set({ source: last });
      this.#showAll();
      this.#say(wordsOf(error), 'bad');
    }
  }

  async #takeFile(file: File): Promise<void> {
    try {
      this.#file = { name: file.name, buffer: await bufferOf(file) };
    } catch (error) {
      this.#say(wordsOf(error), 'bad');
      return;
    }
    await this.#chooseSource('file');
    const { name, buffer } = this.#file;
    const text = `${name}: ${short(buffer.duration)} s, ${count(buffer.sampleRate)} samples a second.`;
    this.#say(this.#session ? `Playing ${text}` : text);
  }

  #save(): Promise<void> {
    return this.#exclusively(async () => {
      await this.page.runtime;
      const source = this.#source();
      const buffer = source instanceof AudioBuffer ? source : makeLoop(loopRate);
      if (buffer.duration > longestSave) throw new Error(`Sounds of up to ${longestSave} s are saved.`);
      this.#say('Computing.');
      const began = performance.now();
      const rendered = await renderOffline(buffer, this.#makeEffect, this.#levels);
      const seconds = (performance.now() - began) / 1000;
      await download(rendered, 'conv1d-wasm.wav');
      this.#say(
        `Saved ${short(rendered.duration)} s of sound, computed in ${seconds.toFixed(2)} s: ` +
          `${short(Number((rendered.duration / seconds).toPrecision(2)))} times as fast as it plays.`,
      );
    });
  }
}

function showEffect({ name, note, delay }: MadeEffect, sampleRate: number): void {
  setText(element('sound-effect'), name);
  setText(element('sound-effect-note'), note);
  setText(element('sound-delay'), `${short((1000 * delay) / sampleRate)} ms`);
}

/** What the browser and the machine take beside the effect. */
function showOwnDelay(context: AudioContext): void {
  // Firefox tells no baseLatency, and hangs at times when asked for the other.
  const own = context.baseLatency > 0 ? 1000 * (context.baseLatency + (context.outputLatency || 0)) : 0;
  setText(element('sound-delay-note'), own > 0 ? `and ${short(Math.round(own))} ms by the browser` : 'by the effect');
}

/** What Chromium tells of its own dropouts, which TypeScript does not know of yet. */
function playbackStats(context: AudioContext | undefined): { underrunEvents: number } | undefined {
  return (context as { playbackStats?: { underrunEvents: number } } | undefined)?.playbackStats;
}

async function bufferOf(file: File): Promise<AudioBuffer> {
  const { channels, sampleRate } = await readSound(file).catch((error: unknown) => {
    throw new Error(`${file.name} is not a sound that this browser can read.`, { cause: error });
  });
  const length = channels[0]?.length ?? 0;
  if (length === 0) throw new Error(`${file.name} holds no samples.`);
  try {
    const options = { numberOfChannels: channels.length, length, sampleRate: sampleRate ?? loopRate };
    const buffer = new AudioBuffer(options);
    channels.forEach((channel, c) => buffer.copyToChannel(channel as Float32Array<ArrayBuffer>, c));
    return buffer;
  } catch (error) {
    const what = `${count(channels.length)} channels at ${count(sampleRate ?? 0)} samples a second`;
    throw new Error(`${file.name} has ${what}, which this browser does not play.`, { cause: error });
  }
}

async function download(buffer: AudioBuffer, name: string): Promise<void> {
  const { WaveFile } = await import('wavefile');
  const wave = new WaveFile();
  wave.fromScratch(2, buffer.sampleRate, '32f', [buffer.getChannelData(0), buffer.getChannelData(1)]);
  const url = URL.createObjectURL(new Blob([wave.toBuffer() as Uint8Array<ArrayBuffer>], { type: 'audio/wav' }));
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  // The download has begun by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
