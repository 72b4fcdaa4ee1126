import { colour } from '../common/plots';
import { jumps, offsetsOf, padLeft, type Stack } from './stack';

/** Positions of one layer that the chosen output depends on, from its own, in steps of that layer. */
interface Row {
  /** All of them, ascending; null where there are too many to tell apart. */
  steps: readonly number[] | null;
  first: number;
  last: number;
}

const mostSteps = 20_000;
const mostEdges = 2500;
const growth = 700;
const stripHeight = 44;
const font = '11px system-ui, sans-serif';
const calm = matchMedia('(prefers-reduced-motion: reduce)');

/** What an output depends on, from its own layer down to the input, which is row 0. */
export function rowsOf({ layers, causal }: Stack): Row[] {
  let row: Row = { steps: [0], first: 0, last: 0 };
  const rows = [row];
  for (const layer of layers.toReversed()) {
    const { kernelSize, stride, dilation } = layer;
    const left = padLeft(layer, causal);
    const first = row.first * stride - left;
    const last = row.last * stride - left + dilation * (kernelSize - 1);
    let steps: number[] | null = null;
    if (row.steps && row.steps.length * kernelSize <= 20 * mostSteps) {
      const seen = new Set(
        row.steps.flatMap((step) => Array.from({ length: kernelSize }, (_, k) => step * stride - left + dilation * k)),
      );
      if (seen.size <= mostSteps) steps = [...seen].sort((a, b) => a - b);
    }
    row = { steps, first, last };
    rows.unshift(row);
  }
  return rows;
}

/** The picture: a row of samples for the input and each layer, and in them what one output depends on. */
export class Cone {
  readonly #canvas = document.createElement('canvas');
  #stack: Stack = { inChannels: 1, causal: true, layers: [] };
  #rows: Row[] = [];
  #jumps: number[] = [];
  #paths: Float32Array | null = null;
  #output = 0;
  #began = 0;
  #frame = 0;

  constructor(readonly host: HTMLElement) {
    host.append(this.#canvas);
    new ResizeObserver(() => this.#draw()).observe(host);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#schedule());
  }

  /** Input samples that are in the picture. */
  get span(): number {
    const { first, last } = offsetsOf(this.#stack);
    const field = last - first + 1;
    const jump = this.#jumps.at(-1) ?? 1;
    return field + Math.max(jump === 1 ? 8 : 4, Math.ceil((0.4 * field) / jump)) * jump;
  }

  /** How many outputs there are to choose among. */
  get outputs(): number {
    const { first, last } = offsetsOf(this.#stack);
    return Math.floor((this.span - (last - first + 1)) / (this.#jumps.at(-1) ?? 1)) + 1;
  }

  /** The first and the last input that an output looks at. */
  inputsOf(output: number): { first: number; last: number } {
    const { first, last } = offsetsOf(this.#stack);
    const position = this.positionOf(output);
    return { first: position + first, last: position + last };
  }

  /** The input that lies at the position of an output. */
  positionOf(output: number): number {
    return output * (this.#jumps.at(-1) ?? 1) - offsetsOf(this.#stack).first;
  }

  /** Shows another stack, growing layer by layer. */
  show(stack: Stack, output: number): void {
    this.#stack = stack;
    this.#rows = rowsOf(stack);
    this.#jumps = jumps(stack.layers);
    this.#paths = null;
    this.#output = output;
    this.#began = performance.now();
    this.#schedule();
  }

  setPaths(paths: Float32Array | null): void {
    this.#paths = paths;
    this.#schedule();
  }

  setOutput(output: number): void {
    this.#output = output;
    this.#schedule();
  }

  /** The output whose cone stands at a place on the screen. */
  outputAt(clientX: number): number {
    const { left, scale } = this.#place();
    const sample = (clientX - this.host.getBoundingClientRect().left - left) / scale - 0.5;
    const output = Math.round((sample - this.positionOf(0)) / (this.#jumps.at(-1) ?? 1));
    return Math.min(this.outputs - 1, Math.max(0, output));
  }

  #place(): { left: number; scale: number } {
    const width = this.host.clientWidth;
    const left = width < 480 ? 48 : 92;
    return { left, scale: (width - left - 10) / this.span };
  }

  #schedule(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (width === 0 || this.#rows.length === 0) return;
    const ratio = devicePixelRatio;
    if (this.#canvas.width !== Math.round(width * ratio) || this.#canvas.height !== Math.round(height * ratio)) {
      this.#canvas.width = Math.round(width * ratio);
      this.#canvas.height = Math.round(height * ratio);
    }
    const context = this.#canvas.getContext('2d');
    if (!context) return;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const top = this.#rows.length - 1;
    const grown = calm.matches ? 1 : Math.min(1, (performance.now() - this.#began) / growth);
    const lowest = top - Math.floor(grown * (top + 0.999));
    const picture = new Picture(context, this.#place(), this.positionOf(this.#output), width, height, top);
    for (let r = top; r > lowest; --r) picture.drawCone(r, this.#ends(r), this.#ends(r - 1));
    this.#drawEdges(picture, lowest);
    for (let r = top; r >= 0; --r) {
      picture.drawLabel(r, this.#stack.layers[r - 1]);
      picture.drawGrid(r, this.#at(r), this.span, this.positionOf(0));
      if (r >= lowest) picture.drawRow(r, this.#rows[r], this.#at(r));
    }
    if (this.#paths && lowest === 0) picture.drawPaths(this.#paths, offsetsOf(this.#stack).first);
    if (grown < 1) this.#schedule();
  }

  /** Where the first and last samples of a row lie, from the output's position. */
  #ends(row: number): readonly [number, number] {
    const { first = 0, last = 0 } = this.#rows[row] ?? {};
    return [first * this.#at(row), last * this.#at(row)];
  }

  #at(row: number): number {
    return this.#jumps[row] ?? 1;
  }

  #drawEdges(picture: Picture, lowest: number): void {
    const { layers, causal } = this.#stack;
    const counts = layers.map(({ kernelSize }, i) => kernelSize * (this.#rows[i + 1]?.steps?.length ?? Infinity));
    if (counts.reduce((a, b) => a + b) > mostEdges) return;
    layers.forEach((layer, i) => {
      if (i < lowest) return;
      const left = padLeft(layer, causal);
      // Where there are many they would hide each other.
      picture.setEdges(Math.min(0.6, 60 / (counts[i] ?? 1)));
      for (const step of this.#rows[i + 1]?.steps ?? []) {
        for (let k = 0; k < layer.kernelSize; ++k) {
          const below = step * layer.stride - left + layer.dilation * k;
          picture.drawEdge(i + 1, step * this.#at(i + 1), below * this.#at(i));
        }
      }
    });
    picture.setEdges(1);
  }
}

/** One drawing of a cone: places and colours. */
class Picture {
  constructor(
    readonly context: CanvasRenderingContext2D,
    readonly place: { left: number; scale: number },
    /** The input at the chosen output's position. */
    readonly origin: number,
    readonly width: number,
    readonly height: number,
    readonly top: number,
  ) {}

  #x(sample: number): number {
    return this.place.left + (sample + 0.5) * this.place.scale;
  }

  #y(row: number): number {
    const [above, below] = [16, stripHeight + 26];
    return above + ((this.top - row) / Math.max(1, this.top)) * (this.height - above - below);
  }

  #hue(row: number): string {
    return colour(row === this.top ? 'output' : row === 0 ? 'input' : 'kernel');
  }

  drawLabel(row: number, layer: Stack['layers'][number] | undefined): void {
    const { context } = this;
    const isNarrow = this.place.left < 60;
    context.font = font;
    context.textBaseline = 'middle';
    context.textAlign = 'left';
    context.fillStyle = colour('muted');
    const stride = layer && layer.stride > 1 ? ` s${layer.stride}` : '';
    const parts = layer ? `${isNarrow ? '' : `k${layer.kernelSize} `}d${layer.dilation}${stride}` : 'input';
    context.fillText(layer && !isNarrow ? `${row}: ${parts}` : parts, 0, this.#y(row));
  }

  /** Every sample of the row as a point, or as a line where they lie too close. */
  drawGrid(row: number, jump: number, span: number, zero: number): void {
    const { context } = this;
    const step = jump * this.place.scale;
    const y = this.#y(row);
    context.fillStyle = colour('axis');
    if (step < 4) {
      context.globalAlpha = 0.6;
      context.fillRect(this.place.left, y - 0.5, span * this.place.scale, 1);
      context.globalAlpha = 1;
      return;
    }
    const radius = Math.min(2.5, step / 4);
    for (let sample = zero % jump; sample < span; sample += jump) {
      context.beginPath();
      context.arc(this.#x(sample), y, radius, 0, 2 * Math.PI);
      context.fill();
    }
  }

  drawCone(row: number, upper: readonly [number, number], lower: readonly [number, number]): void {
    const { context, origin } = this;
    context.fillStyle = colour('kernel');
    context.globalAlpha = 0.1;
    context.beginPath();
    for (const offset of upper) context.lineTo(this.#x(origin + offset), this.#y(row));
    for (const offset of lower.toReversed()) context.lineTo(this.#x(origin + offset), this.#y(row - 1));
    context.fill();
    context.globalAlpha = 1;
  }

  setEdges(opacity: number): void {
    this.context.strokeStyle = colour('kernel');
    this.context.lineWidth = 1;
    this.context.globalAlpha = opacity;
  }

  drawEdge(row: number, above: number, below: number): void {
    const { context, origin } = this;
    context.beginPath();
    context.moveTo(this.#x(origin + above), this.#y(row));
    context.lineTo(this.#x(origin + below), this.#y(row - 1));
    context.stroke();
  }

  /** The samples of a row that light up. */
  drawRow(row: number, cells: Row | undefined, jump: number): void {
    if (!cells) return;
    const { context, origin } = this;
    const y = this.#y(row);
    const step = jump * this.place.scale;
    context.fillStyle = this.#hue(row);
    if (!cells.steps) {
      const [from, to] = [this.#x(origin + cells.first * jump), this.#x(origin + cells.last * jump)];
      context.fillRect(from - 0.5, y - 3, Math.max(1, to - from), 6);
      return;
    }
    const radius = row === this.top ? 5 : Math.min(4.5, Math.max(1.5, step / 3));
    for (const cell of cells.steps) {
      const x = this.#x(origin + cell * jump);
      if (step < 4 && row !== this.top) {
        context.fillRect(x - 0.5, y - 3, Math.max(1, Math.min(step, 2)), 6);
        continue;
      }
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    }
  }

  /** In how many ways each input reaches the output, on a logarithmic scale. */
  drawPaths(paths: Float32Array, first: number): void {
    const { context, origin } = this;
    const bottom = this.height - 14;
    const most = paths.reduce((a, b) => Math.max(a, b), 1);
    context.font = font;
    context.textBaseline = 'middle';
    context.textAlign = 'left';
    context.fillStyle = colour('muted');
    context.fillText('paths', 0, bottom - stripHeight / 2);
    context.fillStyle = colour('input');
    const wide = Math.max(1, this.place.scale - 1);
    // Where samples are narrower than a pixel, the highest in each is what is seen.
    paths.forEach((value, i) => {
      if (value === 0) return;
      const high = Math.max(2, (stripHeight * Math.log2(1 + value)) / Math.log2(1 + most));
      context.fillRect(this.#x(origin + first + i) - wide / 2, bottom - high, wide, high);
    });
  }
}
