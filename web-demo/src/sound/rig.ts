import { type ConvolverLoad, type ConvolverNode, createConvolverNode } from 'conv1d-wasm';
import type { MadeEffect } from './effects';

/** Seconds in which one effect goes over into another; the longer it rings, the longer. */
const fadeOf = (seconds: number) => Math.min(0.25, Math.max(0.05, seconds));
/** Seconds in which a level follows its slider. */
const glide = 0.02;

export interface Levels {
  /** How much of the effect, from 0 to 1; the rest is the sound beside it. */
  mix: number;
  /** What both together are multiplied by. */
  level: number;
}

/** The nodes between a source and what is heard: an effect, the sound beside it, and both together. */
export class Rig {
  readonly input: GainNode;
  readonly before: AnalyserNode;
  readonly after: AnalyserNode;
  readonly #convolver: ConvolverNode;
  readonly #delay: DelayNode;
  readonly #dry: GainNode;
  readonly #wet: GainNode;
  readonly #both: GainNode;
  readonly #level: GainNode;
  #next: (() => MadeEffect) | null = null;
  #isUpdating = false;

  private constructor(
    readonly context: BaseAudioContext,
    convolver: ConvolverNode,
    delay: number,
    { mix, level }: Levels,
  ) {
    const analyser = { fftSize: 4096, smoothingTimeConstant: 0.8 };
    this.#convolver = convolver;
    this.input = new GainNode(context, { channelCount: 2, channelCountMode: 'explicit' });
    this.before = new AnalyserNode(context, analyser);
    this.after = new AnalyserNode(context, analyser);
    this.#delay = new DelayNode(context, { delayTime: delay / context.sampleRate });
    this.#dry = new GainNode(context, { gain: 1 - mix });
    this.#wet = new GainNode(context, { gain: mix });
    this.#both = new GainNode(context);
    this.#level = new GainNode(context, { gain: level });
    this.input.connect(this.before);
    this.input.connect(convolver).connect(this.#wet).connect(this.#both);
    // The sound beside an effect waits for it, or both would blur each other.
    this.input.connect(this.#delay).connect(this.#dry).connect(this.#both);
    this.#both.connect(this.after);
    this.#both.connect(this.#level).connect(context.destination);
  }

  static async make(
    context: BaseAudioContext,
    effect: MadeEffect,
    levels: Levels,
    onLoad?: (load: ConvolverLoad) => void,
  ): Promise<Rig> {
    const convolver = await createConvolverNode(context, { ...effect.filter, ...(onLoad && { onLoad }) });
    effect.dispose();
    return new Rig(context, convolver, effect.delay, levels);
  }

  setLevels({ mix, level }: Levels): void {
    this.#glide(this.#dry.gain, 1 - mix);
    this.#glide(this.#wet.gain, mix);
    this.#glide(this.#level.gain, level);
  }

  #glide(parameter: AudioParam, value: number): void {
    parameter.setTargetAtTime(value, this.context.currentTime, glide);
  }

  /** Goes over to another effect; of several that come during one fade, to the last. */
  async play(make: () => MadeEffect): Promise<void> {
    this.#next = make;
    if (this.#isUpdating) return;
    this.#isUpdating = true;
    try {
      for (let next = this.#takeNext(); next; next = this.#takeNext()) await this.#goOver(next());
    } finally {
      this.#isUpdating = false;
    }
  }

  async #goOver(effect: MadeEffect): Promise<void> {
    const { sampleRate } = this.context;
    this.#glide(this.#delay.delayTime, effect.delay / sampleRate);
    const fade = fadeOf(effect.receptiveField / sampleRate);
    const { filter } = effect;
    const over = this.#convolver.update('source' in filter ? filter.source : filter, { fade });
    // The node has a copy.
    effect.dispose();
    await over;
  }

  #takeNext(): (() => MadeEffect) | null {
    const next = this.#next;
    this.#next = null;
    return next;
  }

  dispose(): void {
    this.#convolver.dispose();
  }
}
