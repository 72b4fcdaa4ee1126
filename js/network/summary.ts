// A network as a table.
import { Convolution } from '../layer/convolution.js';
import { Recurrent } from '../layer/recurrent.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import type { GraphParts } from './parts.js';
import { describeGraph } from './steps.js';
import type { Step } from './value.js';

interface Row {
  readonly step: string;
  readonly output: string;
  readonly parameters: number;
  readonly flops: number;
  readonly timing: string;
}

/** What each step makes of `inputShape`, and how far it looks. */
function rowsOf(
  runtime: LoadedRuntime,
  graph: GraphParts,
  steps: readonly Step[],
  inputShape: readonly number[],
): Row[] {
  const length = inputShape.at(-1) ?? 0;
  const batch = inputShape.length > 2 ? (inputShape[0] ?? 1) : 1;
  const lengths = [length];
  const counted = new Set<unknown>();
  return steps.map(({ operands, channels, text, layer }, i) => {
    const prefix = { ...graph, steps: graph.steps.slice(0, i + 1) };
    describeGraph(runtime, prefix);
    const network = runtime.guard((core) => core.createNetwork());
    const outLength = runtime.guard((core) => core.outputLength(network, batch, length));
    runtime.free((core) => {
      core.destroyGraph(network);
    });
    if (outLength === 0) throw runtime.lastError(inputShape);
    lengths.push(outLength);
    describeGraph(runtime, prefix);
    const stream = runtime.guard((core) => core.createStream(1, 1, true));
    const timing =
      stream === 0
        ? 'not in streams'
        : runtime.guard((core) => `${core.streamReceptiveField(stream)}, ${core.streamLatency(stream)}`);
    if (stream !== 0) {
      runtime.free((core) => {
        core.destroyStream(stream);
      });
    }
    const own = layer === undefined || counted.has(layer) ? {} : layer.stateDict();
    counted.add(layer);
    const sizes = Object.entries(own).map(([name, { size }]) => [name, size] as const);
    // Every weight meets each output, or each input of a transposed layer, once; other steps do one thing an element.
    const inChannels = operands[0] ? (steps[operands[0] - 1]?.channels ?? 0) : graph.inChannels;
    const weights = Convolution.owns(layer)
      ? layer.weight.size
      : Recurrent.owns(layer)
        ? layer.gates * layer.hiddenSize * (inChannels + layer.hiddenSize)
        : 0;
    const times = Convolution.owns(layer) && layer.isTransposed ? (lengths[operands[0] ?? 0] ?? 0) : outLength;
    return {
      step: text.replace(/ of %$/, '').replace(/%/g, 'v'),
      output: `(${[...(inputShape.length > 2 ? [batch] : []), channels, outLength].join(', ')})`,
      parameters: sizes.reduce((sum, [, size]) => sum + size, 0),
      flops: batch * (weights > 0 ? 2 * weights * times : channels * outLength),
      timing,
    };
  });
}

/** The table, in lines. */
export function summarize(
  runtime: LoadedRuntime,
  graph: GraphParts,
  steps: readonly Step[],
  inputShape: readonly number[],
): string {
  const rows = rowsOf(runtime, graph, steps, inputShape);
  const sum = (key: 'parameters' | 'flops') => rows.reduce((all, row) => all + row[key], 0).toLocaleString('en');
  const cells = [
    ['step', 'output', 'parameters', 'FLOPs', 'receptive field, latency'],
    ...rows.map((row) => [
      row.step,
      row.output,
      row.parameters.toLocaleString('en'),
      row.flops.toLocaleString('en'),
      row.timing,
    ]),
    ['in all', '', sum('parameters'), sum('flops'), ''],
  ];
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length))) ?? [];
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i > 1 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join('  ');
  return cells.map((row) => line(row).trimEnd()).join('\n');
}
