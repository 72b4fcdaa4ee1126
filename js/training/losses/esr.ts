import { Conv1dError, pickOptions, shapeError, show } from '../../common/errors.js';
import { checkNumber } from '../checks.js';
import { asGradient, type Loss, readPair, readSignal } from './loss.js';

/**
 * The error-to-signal ratio: for each image the sum of (x - y)^2 over that of y^2, over all its channels; the mean over the
 * images. It is the loss of neural amp models, as https://github.com/sdatkinson/neural-amp-modeler has it.
 *
 * Output and target have the same shape, (N, C, L) or (C, L). An image whose target is silent has no such ratio: that is
 * an error.
 *
 * @param options `preEmphasis`, from -1 to 1, default 0, is c of a filter y[t] - c y[t - 1] that both go through first,
 *   which weighs high frequencies; unless it is 0, the first sample has none before it and is left out. Wright and
 *   Välimäki, "Perceptual loss function for neural modeling of audio systems" (2020), have 0.95, and 0.85 before it.
 * @throws Conv1dError ERR_OPTION; (its `of`) ERR_SHAPE, ERR_DTYPE, ERR_OPTION (silence), ERR_DISPOSED.
 */
export function esr(options: { preEmphasis?: number } = {}): Loss {
  const { preEmphasis: given = 0 } = pickOptions(options, ['preEmphasis']);
  const c = checkNumber('preEmphasis', given, 'a number from -1 to 1', (number) => Math.abs(number) <= 1);
  const begin = c === 0 ? 0 : 1;
  return {
    name: 'esr',
    of(givenOutput, target) {
      const { output, x, y } = readPair(givenOutput, target);
      const { images, channels, length } = readSignal(output);
      if (length <= begin) {
        const text = `output needs at least 2 samples for preEmphasis ${String(c)}, got shape ${show(output.shape)}`;
        throw shapeError('output', text, output.shape);
      }
      const filtered = (signal: (at: number) => number, at: number) =>
        signal(at) - (begin === 0 ? 0 : c * signal(at - 1));
      const error = (at: number) => (x[at] ?? 0) - (y[at] ?? 0);
      const wanted = (at: number) => y[at] ?? 0;
      const gradient = new Float64Array(x.length);
      let sum = 0;
      for (let image = 0; image < images; ++image) {
        const rows = Array.from({ length: channels }, (_, channel) => (image * channels + channel) * length);
        let errors = 0;
        let energy = 0;
        for (const row of rows) {
          for (let t = begin; t < length; ++t) {
            errors += filtered(error, row + t) ** 2;
            energy += filtered(wanted, row + t) ** 2;
          }
        }
        if (energy === 0) {
          const text = `target is silent in image ${String(image)}, which has no error-to-signal ratio; leave silence out, or take mse()`;
          throw new Conv1dError('ERR_OPTION', 'target', text, image);
        }
        sum += errors / energy;
        const scale = 2 / (energy * images);
        for (const row of rows) {
          for (let t = begin; t < length; ++t) {
            const slope = scale * filtered(error, row + t);
            gradient[row + t] = (gradient[row + t] ?? 0) + slope;
            if (begin === 1) gradient[row + t - 1] = (gradient[row + t - 1] ?? 0) - c * slope;
          }
        }
      }
      return { value: sum / images, gradient: asGradient(output, gradient) };
    },
  };
}
