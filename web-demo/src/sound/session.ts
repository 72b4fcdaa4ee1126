import { type ConvolverLoad } from 'conv1d-wasm';
import { openMicrophone } from '../common/samples';
import type { MadeEffect } from './effects';
import { makeLoop } from './loop';
import { type Levels, Rig } from './rig';

export type Source = 'loop' | 'microphone' | AudioBuffer;

interface OpenSource {
  node: AudioNode;
  close(): void;
}

/** Milliseconds after which a context that does not start is given up. */
const patience = 4000;

function playBuffer(context: BaseAudioContext, buffer: AudioBuffer): OpenSource {
  const node = new AudioBufferSourceNode(context, { buffer, loop: true });
  node.start();
  return {
    node,
    close: () => {
      node.stop();
      node.disconnect();
    },
  };
}

async function openSource(context: AudioContext, source: Source): Promise<OpenSource> {
  if (source === 'loop') return playBuffer(context, makeLoop(context.sampleRate));
  if (source !== 'microphone') return playBuffer(context, source);
  const mediaStream = await openMicrophone();
  const node = new MediaStreamAudioSourceNode(context, { mediaStream });
  return {
    node,
    close: () => {
      for (const track of mediaStream.getTracks()) track.stop();
      node.disconnect();
    },
  };
}

/** What plays, from a start to a stop. */
export class Session {
  #source: OpenSource | null = null;

  private constructor(
    readonly context: AudioContext,
    readonly rig: Rig,
  ) {}

  /**
   * Plays. A context has to be made while a click is being handled.
   *
   * @throws Error with a sentence for people.
   */
  static async start(
    context: AudioContext,
    source: Source,
    makeEffect: (sampleRate: number) => MadeEffect,
    levels: Levels,
    onLoad: (load: ConvolverLoad) => void,
  ): Promise<Session> {
    try {
      const rig = await Rig.make(context, makeEffect(context.sampleRate), levels, onLoad);
      const session = new Session(context, rig);
      await session.setSource(source);
      await resumed(context);
      return session;
    } catch (error) {
      await context.close();
      throw error;
    }
  }

  /** Plays another source; the one before plays on when it cannot be opened. */
  async setSource(source: Source): Promise<void> {
    const opened = await openSource(this.context, source);
    this.#source?.close();
    this.#source = opened;
    opened.node.connect(this.rig.input);
  }

  async stop(): Promise<void> {
    this.#source?.close();
    this.rig.dispose();
    await this.context.close();
  }
}

async function resumed(context: AudioContext): Promise<void> {
  let timer = 0;
  const impatience = new Promise<never>((_, reject) => {
    const text = 'The browser did not start to play. Is there a device for sound, and may this page use it?';
    timer = window.setTimeout(() => reject(new Error(text)), patience);
  });
  await Promise.race([context.resume(), impatience]);
  clearTimeout(timer);
}

/** All of a buffer through an effect, until the last echo is gone, faster than it plays. */
export async function renderOffline(
  buffer: AudioBuffer,
  makeEffect: (sampleRate: number) => MadeEffect,
  levels: Levels,
): Promise<AudioBuffer> {
  const { sampleRate, length } = buffer;
  const effect = makeEffect(sampleRate);
  const context = new OfflineAudioContext(2, length + effect.receptiveField - 1, sampleRate);
  const rig = await Rig.make(context, effect, levels);
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(rig.input);
  source.start();
  const rendered = await context.startRendering();
  rig.dispose();
  return rendered;
}
