// What an AudioWorkletGlobalScope has and TypeScript's DOM library lacks.
declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
  abstract process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean;
}

declare function registerProcessor(
  name: string,
  processor: new (options: { processorOptions: unknown }) => AudioWorkletProcessor,
): void;

declare const currentTime: number;
declare const sampleRate: number;

/** Not in every engine yet. */
declare const Temporal: { Now: { instant(): { epochNanoseconds: bigint } } } | undefined;
