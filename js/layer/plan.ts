import { Conv1dError } from '../common/errors.js';
import type { CoreOptions, Explanation } from '../runtime/core.js';
import type { LoadedRuntime } from '../runtime/runtime.js';
import type { DType } from './dtype.js';
import { Graph } from './graph.js';

/** As C++ gets the options. */
const coreOptionsOf = (runtime: LoadedRuntime, options: CoreOptions): CoreOptions =>
  runtime.deterministic && options.algorithm === 'auto' ? { ...options, algorithm: 'direct' } : options;

/** A handle of the layer, or 0 when C++ refuses it. */
export function createLayer(runtime: LoadedRuntime, { parameters, ...options }: CoreOptions): number {
  return runtime.withCopy(Float64Array.from(parameters), (pointer) =>
    runtime.guard((core) => core.createLayer(options, pointer, parameters.length)),
  );
}

/** Shapes that may be written of each parameter: the layer's own first. All have their elements in the same order. */
export type Shapes = Readonly<Record<'weight' | 'bias', readonly (readonly number[])[]>>;

/** A layer as C++ has it. */
export class Plan extends Graph {
  /** Counts the changes of its weights. */
  version = 0;

  constructor(
    runtime: LoadedRuntime,
    readonly options: CoreOptions,
    readonly shapes: Shapes,
    given: object,
  ) {
    const { inChannels, outChannels } = options;
    super(
      runtime,
      { what: 'layer', inChannels, outChannels, dtype: options.dtype as DType },
      createLayer(runtime, coreOptionsOf(runtime, options)),
    );
    if (!this.isMade) throw this.failure(given);
  }

  get coreOptions(): CoreOptions {
    return coreOptionsOf(this.runtime, this.options);
  }

  get dtype(): DType {
    return this.spec.dtype;
  }

  /** What C++ refused, with the caller's value of the field at fault. */
  failure(given: object): Conv1dError {
    const { code, field, message } = this.runtime.lastError(undefined);
    return new Conv1dError(code, field, message, (given as Record<string, unknown>)[field]);
  }

  /** Of the shape that it is prepared for. */
  explain(): Explanation {
    return this.runtime.guard((core) => core.explain(this.handle));
  }

  /** To be called when weights change: the worker has others. */
  changed(): void {
    ++this.version;
    this.forgetCopy();
  }
}
