import { Conv1dError, optionError, pickOptions, reading, shapeError } from '../../common/errors.js';
import { checkCount } from '../checks.js';
import { Fft } from './fft.js';
import { asGradient, type Loss, readPair, readSignal } from './loss.js';

/** The resolutions of `multiResolutionStft`: lists of the same length, of samples. */
export interface StftOptions {
  /** Of the transforms, powers of two >= 2. Default [1024, 2048, 512]. */
  sizes?: readonly number[];
  /** From one frame to the next, >= 1. Default [120, 240, 50]. */
  hops?: readonly number[];
  /** Of the Hann windows, from 2 to the size. Default [600, 1200, 240]. */
  windows?: readonly number[];
}

/** Powers below it count as this, as in auraloss: logarithms and roots have steep slopes at 0. */
const leastPower = 1e-8;

/** The short-time Fourier transforms of an output and its target, compared. Signals are mirrored at their ends. */
class Resolution {
  readonly #size: number;
  readonly #hop: number;
  readonly #window: Float64Array;
  readonly #fft: Fft;
  readonly #re: Float64Array;
  readonly #im: Float64Array;

  constructor(size: number, hop: number, window: number) {
    this.#size = size;
    this.#hop = hop;
    this.#window = new Float64Array(size);
    const before = Math.floor((size - window) / 2);
    for (let i = 0; i < window; ++i) this.#window[before + i] = (1 - Math.cos((2 * Math.PI * i) / window)) / 2;
    this.#fft = new Fft(size);
    this.#re = new Float64Array(size);
    this.#im = new Float64Array(size);
  }

  /** Where in a signal of `length` sample `i` of a frame lies. */
  #place(frame: number, i: number, length: number): number {
    const at = Math.abs(frame * this.#hop + i - this.#size / 2);
    return at < length ? at : 2 * (length - 1) - at;
  }

  /** What both terms give for one row of an output; its gradient, times `scale`, is added to `gradient`. */
  compare(x: Float64Array, y: Float64Array, gradient: Float64Array, scale: number): number {
    const { length } = x;
    const frames = 1 + Math.floor(length / this.#hop);
    const bins = this.#size / 2 + 1;
    const count = frames * bins;
    const [re, im, wanted] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)];
    let errors = 0;
    let energy = 0;
    let logarithms = 0;
    for (let frame = 0; frame < frames; ++frame) {
      this.#transform(x, y, frame);
      for (let k = 0; k < bins; ++k) {
        const at = frame * bins + k;
        const mirrored = (this.#size - k) % this.#size;
        const pRe = this.#re[k] ?? 0;
        const pIm = this.#im[k] ?? 0;
        const qRe = this.#re[mirrored] ?? 0;
        const qIm = this.#im[mirrored] ?? 0;
        re[at] = (pRe + qRe) / 2;
        im[at] = (pIm - qIm) / 2;
        const magnitude = Math.sqrt(Math.max(((pRe + qRe) ** 2 + (pIm - qIm) ** 2) / 4, leastPower));
        const target = Math.sqrt(Math.max(((pIm + qIm) ** 2 + (qRe - pRe) ** 2) / 4, leastPower));
        wanted[at] = target;
        errors += (magnitude - target) ** 2;
        energy += target ** 2;
        logarithms += Math.abs(Math.log(magnitude / target));
      }
    }
    const ofError = errors === 0 ? 0 : scale / Math.sqrt(errors * energy);
    // Two frames in one transform, as above. The real part of a sum over these bins is that of all bins, each half, mirrored.
    for (let first = 0; first < frames; first += 2) {
      this.#re.fill(0);
      this.#im.fill(0);
      const pair = Math.min(frames - first, 2);
      for (let second = 0; second < pair; ++second) {
        for (let k = 0; k < bins; ++k) {
          const at = (first + second) * bins + k;
          const ownRe = re[at] ?? 0;
          const ownIm = im[at] ?? 0;
          const power = ownRe ** 2 + ownIm ** 2;
          if (power < leastPower) continue;
          const magnitude = Math.sqrt(power);
          const off = magnitude - (wanted[at] ?? 0);
          const slope = ofError * off + (scale * Math.sign(off)) / (magnitude * count);
          const half = slope / (2 * magnitude);
          this.#addPair(k, half * ownRe, half * ownIm, second === 1);
        }
      }
      this.#fft.transform(this.#re, this.#im);
      for (let i = 0; i < this.#size; ++i) {
        const weight = this.#window[i] ?? 0;
        const at = this.#place(first, i, length);
        gradient[at] = (gradient[at] ?? 0) + weight * (this.#re[i] ?? 0);
        if (pair === 1) continue;
        const next = this.#place(first + 1, i, length);
        gradient[next] = (gradient[next] ?? 0) - weight * (this.#im[i] ?? 0);
      }
    }
    return Math.sqrt(errors / energy) + logarithms / count;
  }

  /**
   * Adds the conjugate of a bin, and the bin as its mirror image; of a second signal, times -i. The transform's real parts are
   * then the first signal, its imaginary parts the second one's negative.
   */
  #addPair(k: number, re: number, im: number, isSecond: boolean): void {
    const mirrored = (this.#size - k) % this.#size;
    const [x, y] = isSecond ? [im, re] : [re, im];
    const sign = isSecond ? -1 : 1;
    this.#re[k] = (this.#re[k] ?? 0) + sign * x;
    this.#im[k] = (this.#im[k] ?? 0) - y;
    this.#re[mirrored] = (this.#re[mirrored] ?? 0) + x;
    this.#im[mirrored] = (this.#im[mirrored] ?? 0) + sign * y;
  }

  /** A frame of both signals in one transform: x makes the real parts, y the imaginary ones. */
  #transform(x: Float64Array, y: Float64Array, frame: number): void {
    for (let i = 0; i < this.#size; ++i) {
      const at = this.#place(frame, i, x.length);
      const weight = this.#window[i] ?? 0;
      this.#re[i] = weight * (x[at] ?? 0);
      this.#im[i] = weight * (y[at] ?? 0);
    }
    this.#fft.transform(this.#re, this.#im);
  }
}

function readCounts(field: string, given: unknown): number[] {
  return reading('ERR_OPTION', field, given, () => {
    if (!Array.isArray(given) || given.length === 0) throw optionError(field, 'a list of at least one integer', given);
    return given.map((value: unknown, i) => checkCount(`${field}[${String(i)}]`, value));
  });
}

/**
 * The multi-resolution STFT loss of Yamamoto, Song and Kim, "Parallel WaveGAN" (2020), as auraloss computes it: the mean over
 * resolutions, and over all channels of all images, of the spectral convergence ||Y - X|| / ||Y|| plus the mean of
 * |log Y - log X|, X and Y being the magnitudes of the short-time Fourier transforms of output and target. Powers below
 * 1e-8 count as 1e-8.
 *
 * Output and target have the same shape, (N, C, L) or (C, L), with more samples than half of the largest size. It knows
 * nothing of phases: put a loss beside it that does.
 *
 * @throws Conv1dError ERR_OPTION; (its `of`) ERR_SHAPE, ERR_DTYPE, ERR_DISPOSED.
 */
export function multiResolutionStft(options: StftOptions = {}): Loss {
  const given = pickOptions(options, ['sizes', 'hops', 'windows']);
  const { sizes = [1024, 2048, 512], hops = [120, 240, 50], windows = [600, 1200, 240] } = given;
  const ownSizes = readCounts('sizes', sizes);
  const ownHops = readCounts('hops', hops);
  const ownWindows = readCounts('windows', windows);
  if (ownHops.length !== ownSizes.length || ownWindows.length !== ownSizes.length) {
    const text = `sizes, hops and windows must have the same length, got ${String(ownSizes.length)}, ${String(ownHops.length)} and ${String(ownWindows.length)}`;
    throw new Conv1dError('ERR_OPTION', 'sizes', text, sizes);
  }
  const resolutions = ownSizes.map((size, i) => {
    const [hop = 1, window = 1] = [ownHops[i], ownWindows[i]];
    if (size < 2 || size > 2 ** 24 || (size & (size - 1)) !== 0) {
      throw optionError(`sizes[${String(i)}]`, 'a power of two from 2 to 2^24', size);
    }
    if (window < 2 || window > size) {
      throw optionError(`windows[${String(i)}]`, `an integer from 2 to its size (${String(size)})`, window);
    }
    return new Resolution(size, hop, window);
  });
  const most = Math.max(...ownSizes);
  return {
    name: 'multiResolutionStft',
    of(givenOutput, target) {
      const { output, x, y } = readPair(givenOutput, target);
      const { images, channels, length } = readSignal(output);
      if (length <= most / 2) {
        const text = `output must have more samples than half of the largest size (${String(most)}), got ${String(length)}`;
        throw shapeError('output', text, output.shape);
      }
      const gradient = new Float64Array(x.length);
      const scale = 1 / (resolutions.length * images * channels);
      let sum = 0;
      for (let row = 0; row < x.length; row += length) {
        const rowOf = (all: Float64Array) => all.subarray(row, row + length);
        for (const resolution of resolutions) {
          sum += scale * resolution.compare(rowOf(x), rowOf(y), rowOf(gradient), scale);
        }
      }
      return { value: sum, gradient: asGradient(output, gradient) };
    },
  };
}
