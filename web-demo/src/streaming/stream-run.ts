import { Tensor, type Conv1d, type Conv1dStream, type Network } from 'conv1d-wasm';
import { uniform } from '../common/random';

/** Where pieces of at most `most` samples end: all of that size, or of sizes drawn from 1 on when there is a seed. */
export function cutSignal(length: number, most: number, seed: number | null): number[] {
  const next = seed === null ? null : uniform(seed);
  const ends: number[] = [];
  for (let end = 0; end < length;) {
    end = Math.min(length, end + (next ? 1 + Math.floor(next() * most) : most));
    ends.push(end);
  }
  return ends;
}

// A stream is run again and again until its time can be told by a clock that may be as coarse as a millisecond.
const enoughMilliseconds = 30;

/** What is streamed; `offline` is `forward` of the whole signal. */
export interface Subject {
  source: Conv1d | Network;
  signal: Float32Array;
  offline: Float32Array;
}

/** One signal, streamed in pieces and compared with what it gives in one go. */
export class StreamRun {
  /** What pushes and flush gave, put together. */
  readonly streamed: Float32Array;
  readonly latency: number;
  readonly receptiveField: number;
  /** How many outputs have come. */
  outputs = 0;
  /** Whether the whole signal has gone through. */
  isComplete = false;
  /** The largest difference so far, and how many outputs have other bits than offline. */
  difference = 0;
  differing = 0;
  readonly #stream: Conv1dStream;
  #pushes = 0;
  #milliseconds = 0;
  #next = 0;
  #compared = 0;

  /** `flipped`: an output whose last bit is turned over, to see that the comparison sees it. */
  constructor(
    readonly subject: Subject,
    readonly ends: readonly number[],
    readonly flipped: number | null,
  ) {
    this.streamed = new Float32Array(subject.offline.length);
    const maxChunk = ends.reduce((most, end, i) => Math.max(most, end - (ends[i - 1] ?? 0)), 1);
    this.#stream = subject.source.stream({ maxChunk, denormals: 'keep' });
    this.latency = this.#stream.latency;
    this.receptiveField = this.#stream.receptiveField;
  }

  /** Whether there is more to do: the signal's rest, or more passes to tell the time by. */
  get isDone(): boolean {
    return this.isComplete && this.#milliseconds >= enoughMilliseconds;
  }

  get microsecondsPerPush(): number {
    return (1000 * this.#milliseconds) / this.#pushes;
  }

  /** Pushes for about so many milliseconds. */
  advance(milliseconds: number): void {
    const deadline = performance.now() + milliseconds;
    while (!this.isDone && performance.now() < deadline) {
      this.#pushUntil(deadline);
      const isThrough = this.#next === this.ends.length;
      if (isThrough) this.#take(this.#stream.flush());
      this.#compare();
      if (!isThrough) continue;
      this.isComplete = true;
      this.#stream.reset();
      this.#next = 0;
    }
  }

  dispose(): void {
    this.#stream.dispose();
  }

  #pushUntil(deadline: number): void {
    const start = performance.now();
    let now = start;
    while (this.#next < this.ends.length && now < deadline) {
      const from = this.ends[this.#next - 1] ?? 0;
      const to = this.ends[this.#next++] ?? from;
      this.#take(this.#stream.push(new Tensor(this.subject.signal.subarray(from, to), [1, to - from])));
      this.#pushes++;
      now = performance.now();
    }
    this.#milliseconds += now - start;
  }

  #take(part: Tensor): void {
    if (this.isComplete) return;
    this.streamed.set(part.data, this.outputs);
    this.outputs += part.size;
  }

  /** Looks at the outputs that have come since the last time. */
  #compare(): void {
    const { offline } = this.subject;
    const [got, wanted] = [bitsOf(this.streamed), bitsOf(offline)];
    for (; this.#compared < this.outputs; this.#compared++) {
      const i = this.#compared;
      if (i === this.flipped) got[i] = (got[i] ?? 0) ^ 1;
      if (got[i] !== wanted[i]) this.differing++;
      this.difference = Math.max(this.difference, Math.abs((this.streamed[i] ?? NaN) - (offline[i] ?? NaN)));
    }
  }
}

const bitsOf = ({ buffer, byteOffset, length }: Float32Array) => new Uint32Array(buffer, byteOffset, length);
