/** The discrete Fourier transform of `size` complex numbers, a power of two, in float64. */
export class Fft {
  readonly #cosines: Float64Array;
  readonly #sines: Float64Array;
  readonly #reversed: Uint32Array;

  constructor(readonly size: number) {
    const angles = Float64Array.from({ length: size / 2 }, (_, k) => (-2 * Math.PI * k) / size);
    this.#cosines = angles.map(Math.cos);
    this.#sines = angles.map(Math.sin);
    this.#reversed = new Uint32Array(size);
    for (let i = 1; i < size; ++i) {
      this.#reversed[i] = ((this.#reversed[i >> 1] ?? 0) >> 1) | (i & 1 ? size >> 1 : 0);
    }
  }

  /** In place, with exp(-2 pi i k t / size) and no scale: Cooley and Tukey's, by halves. */
  transform(re: Float64Array, im: Float64Array): void {
    const size = this.size;
    const cosines = this.#cosines;
    const sines = this.#sines;
    for (let i = 0; i < size; ++i) {
      const j = this.#reversed[i] ?? 0;
      if (j <= i) continue;
      [re[i], re[j]] = [re[j] ?? 0, re[i] ?? 0];
      [im[i], im[j]] = [im[j] ?? 0, im[i] ?? 0];
    }
    for (let half = 1; half < size; half *= 2) {
      const stride = size / (2 * half);
      for (let begin = 0; begin < size; begin += 2 * half) {
        for (let k = 0; k < half; ++k) {
          const a = begin + k;
          const b = a + half;
          const cosine = cosines[k * stride] ?? 0;
          const sine = sines[k * stride] ?? 0;
          const turnedRe = (re[b] ?? 0) * cosine - (im[b] ?? 0) * sine;
          const turnedIm = (re[b] ?? 0) * sine + (im[b] ?? 0) * cosine;
          const aRe = re[a] ?? 0;
          const aIm = im[a] ?? 0;
          re[a] = aRe + turnedRe;
          im[a] = aIm + turnedIm;
          re[b] = aRe - turnedRe;
          im[b] = aIm - turnedIm;
        }
      }
    }
  }
}
