/** The options of a layer as C++ takes them, all present; see cpp/options/params.h. */
export interface CoreOptions {
  inChannels: number;
  outChannels: number;
  kernelSize: number;
  stride: number;
  paddingRule: string;
  padLeft: number;
  padRight: number;
  dilation: number;
  groups: number;
  bias: boolean;
  convMode: string;
  computeMode: string;
  paddingMode: string;
  dtype: string;
  activation: string;
  /** Of the activation, see cpp/options/params.h. */
  parameters: readonly number[];
  algorithm: string;
  transposed: boolean;
  outputPadding: number;
}

/** How one input shape is computed. */
export interface Explanation {
  /** `'direct'`, `'toom_cook'` or `'fft'`, see the option of that name. */
  algorithm: string;
  /**
   * `'asked for'`, or what was compared: the estimated times of the others, relative to direct's time; 'not
   * applicable' is what cannot compute the layer, or not as exactly as `'auto'` promises, or would leave most of its few
   * samples to the definition.
   */
  reason: string;
  /** The kernel that computes most output channels, or the form of the transform. */
  kernel: string;
  /** 2 * N * outChannels * Lout * kernelSize * inChannels / groups. */
  flops: number;
  /** Bytes of input, weight, bias and output, each once. */
  bytes: number;
  /** Bytes of memory needed beyond those and the packed weights, all threads together. */
  scratchBytes: number;
  /** Threads that take part. */
  threads: number;
}

/** A step of an optimiser over `count` floats. Its rule is floats as cpp/training/optimizer.h has them; states may be 0. */
export type Optimize = (
  rule: number,
  count: number,
  parameter: number,
  gradient: number,
  first: number,
  second: number,
  third: number,
) => void;

/** The functions of cpp/bindings.cpp. Pointers are byte offsets into the memory; 0 and false mean failure. */
export interface Core {
  defaultOptions(): Omit<CoreOptions, 'parameters'>;
  lastError(): { code: string; field: string; message: string };
  startThreads(threads: number): void;
  /** A graph is a layer or a network. The activation's parameters are `count` doubles at `parameters`. */
  createLayer(options: Omit<CoreOptions, 'parameters'>, parameters: number, count: number): number;
  /** One direction of a layer. Its weights are float32: weight_ih, weight_hh, bias_ih, bias_hh. */
  createRecurrent(cell: 'lstm' | 'gru', inputs: number, hidden: number): number;
  destroyRecurrent(recurrent: number): void;
  recurrentWeights(recurrent: number): number;
  recurrentChanged(recurrent: number): void;
  /** Begins the description of a graph, to which steps are added; operands are `count` int32, numbers are doubles. */
  beginGraph(half: boolean, inChannels: number): void;
  addLayer(operands: number, layer: number): void;
  addRecurrent(operands: number, recurrent: number): void;
  addOperation(kind: string, operands: number, count: number, numbers: number, numberCount: number): boolean;
  /** Those of a graph's operation, as doubles, and others in their place. */
  operationNumbers(graph: number, step: number): number;
  renewOperation(graph: number, step: number, numbers: number, count: number): void;
  /** Of the graph that was described. */
  createNetwork(): number;
  destroyGraph(graph: number): void;
  outputLength(graph: number, batch: number, length: number): number;
  prepare(graph: number, batch: number, length: number): number;
  run(graph: number, input: number, output: number): void;
  pieces(graph: number): number;
  runPieces(graph: number, input: number, output: number, begin: number, end: number): void;
  /** Of a layer or a network, for inputs of one shape. */
  createRecording(graph: number, batch: number, length: number, lowMemory: boolean): number;
  destroyRecording(recording: number): void;
  /** What createRecording takes memory for; -1 means failure. */
  recordingBytes(graph: number, batch: number, length: number, lowMemory: boolean): number;
  recordingLength(recording: number): number;
  /** 0: its input, 1: the output, 2 and 3: their gradients. */
  recordingArray(recording: number, array: number): number;
  /** Of the parameters of a step of the graph; 0 where it has none. */
  parameterGradients(recording: number, graph: number, step: number): number;
  runRecording(recording: number, training: boolean, seed: number): boolean;
  runBackward(recording: number, input: boolean, weights: boolean, biases: boolean): void;
  weight(layer: number): number;
  bias(layer: number): number;
  weightsChanged(layer: number): void;
  initialize(layer: number, scheme: string, seed: number): boolean;
  explain(layer: number): Explanation;
  createStream(batch: number, maxChunk: number, flushTiny: boolean): number;
  destroyStream(stream: number): void;
  streamLatency(stream: number): number;
  streamReceptiveField(stream: number): number;
  streamOutputCount(stream: number, samples: number): number;
  pushStream(stream: number, chunk: number, samples: number, output: number): void;
  /** -1 means failure. */
  streamEndCount(stream: number): number;
  endStream(stream: number, output: number): void;
  resetStream(stream: number): void;
  streamStateBytes(stream: number): number;
  saveStream(stream: number, state: number): void;
  restoreStream(stream: number, state: number, bytes: number): boolean;
  cloneStream(stream: number): number;
  settleStream(stream: number, sample: number, output: number): boolean;
  optimizeSgd: Optimize;
  optimizeAdam: Optimize;
  optimizeRmsProp: Optimize;
  /** -1 means failure. */
  activationIndex(name: string, parameters: number, count: number, channels: number): number;
  /** JSON. */
  activations(): string;
  allocate(bytes: number): number;
  release(pointer: number): void;
  usedBytes(): number;
  /** Of the threaded builds. */
  PThread?: WorkerPool;
}

/** A worker of the glue's pool, as pages or Node have it. */
export interface PoolWorker {
  onerror: (event: { readonly message?: string; preventDefault?(): void }) => void;
  terminate(): unknown;
  unref?(): void;
}

/** The workers that threads run in. */
export interface WorkerPool {
  readonly unusedWorkers: PoolWorker[];
  /** Starts one more. Throws what `Worker` throws. */
  allocateUnusedWorker(): void;
  /** Sets `onerror`; settles when the worker is ready, or never. */
  loadWasmModuleToWorker(worker: PoolWorker): Promise<unknown>;
  terminateAllThreads(): void;
}

/** What Emscripten's glue takes. */
export interface GlueOptions {
  wasmMemory: WebAssembly.Memory;
  /** Where the glue itself lies, which those workers run. */
  threadScript: string;
  instantiateWasm(
    imports: WebAssembly.Imports,
    done: (instance: WebAssembly.Instance, module: WebAssembly.Module) => void,
  ): object;
}

export type GlueFactory = (options: GlueOptions) => Promise<Core>;
