// PyTorch's optimisers, with its defaults.
import { optionError, pickOptions, reading } from '../common/errors.js';
import { checkFlag, checkNotNegative, checkNumber } from './checks.js';
import { Optimizer } from './optimizer.js';

const checkFraction = (field: string, value: unknown): number =>
  checkNumber(field, value, 'a number >= 0 and < 1', (number) => number >= 0 && number < 1);

/** Options of `Sgd`. */
export interface SgdOptions {
  /** >= 0. */
  learningRate: number;
  /** >= 0. Default 0: none. */
  momentum?: number;
  /** How much less of a gradient the momentum takes after its first step. Default 0. */
  dampening?: number;
  /** Whether momentum looks ahead: it must be > 0, and dampening 0. Default false. */
  nesterov?: boolean;
  /** Of the parameter, added to its gradient. >= 0. Default 0. */
  weightDecay?: number;
}

/**
 * Stochastic gradient descent, with momentum, as PyTorch's `SGD`; its state is `momentum_buffer`, if there is momentum.
 * Sutskever et al., "On the importance of initialization and momentum in deep learning" (2013), in PyTorch's form:
 * m = momentum m + (1 - dampening) g, beginning with m = g; x -= learningRate m, or with Nesterov's momentum
 * x -= learningRate (g + momentum m).
 */
export class Sgd extends Optimizer {
  /** @internal */
  protected readonly stateNames: readonly (string | null)[];
  /** @internal */
  protected readonly countsSteps = false;
  /** @internal */
  protected readonly coreFunction = 'optimizeSgd';
  readonly #momentum: number;
  readonly #dampening: number;
  readonly #nesterov: boolean;
  readonly #weightDecay: number;

  /** @throws Conv1dError ERR_OPTION. */
  constructor(options: SgdOptions) {
    const names = ['learningRate', 'momentum', 'dampening', 'nesterov', 'weightDecay'] as const;
    const {
      learningRate,
      momentum = 0,
      dampening = 0,
      nesterov = false,
      weightDecay = 0,
    } = pickOptions(options, names);
    super(learningRate);
    this.#momentum = checkNotNegative('momentum', momentum);
    this.#dampening = checkNumber('dampening', dampening, 'a number', () => true);
    this.#nesterov = checkFlag('nesterov', nesterov);
    this.#weightDecay = checkNotNegative('weightDecay', weightDecay);
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw optionError('nesterov', 'false unless momentum is > 0 and dampening 0', nesterov);
    }
    this.stateNames = momentum > 0 ? ['momentum_buffer'] : [];
  }

  /** @internal */
  protected rule(step: number): readonly number[] {
    const isFirst = step === 1 || this.#momentum === 0;
    const { learningRate } = this;
    const [decay, gain] = isFirst ? [0, 1] : [this.#momentum, 1 - this.#dampening];
    const [fromGradient, fromMomentum] = this.#nesterov
      ? [learningRate, learningRate * this.#momentum]
      : [0, learningRate];
    return [this.#weightDecay, decay, gain, fromGradient, fromMomentum];
  }
}

/** Options of `Adam` and `AdamW`. */
export interface AdamOptions {
  /** >= 0. Default 0.001. */
  learningRate?: number;
  /** Of the running averages of gradients and of their squares, >= 0 and < 1. Default [0.9, 0.999]. */
  betas?: readonly [number, number];
  /** Added to the root of the average of squares, >= 0. Default 1e-8. */
  eps?: number;
  /** >= 0. Of `Adam`, of the parameter, added to its gradient, default 0; of `AdamW`, taken off beside it, default 0.01. */
  weightDecay?: number;
}

const adamNames = ['learningRate', 'betas', 'eps', 'weightDecay'] as const;

/**
 * Kingma and Ba, "Adam" (2015), as PyTorch's `Adam`; its states are `exp_avg`, `exp_avg_sq` and `step`.
 * m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2; in step t
 * x -= learningRate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps).
 */
export class Adam extends Optimizer {
  /** @internal */
  protected readonly stateNames: readonly string[] = ['exp_avg', 'exp_avg_sq'];
  /** @internal */
  protected readonly countsSteps = true;
  /** @internal */
  protected readonly coreFunction = 'optimizeAdam';
  readonly #betas: readonly [number, number];
  readonly #eps: number;
  readonly #weightDecay: number;

  /** @throws Conv1dError ERR_OPTION. */
  constructor(options: AdamOptions = {}) {
    const given = pickOptions(options, adamNames);
    const { learningRate = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0 } = given;
    super(learningRate);
    this.#betas = reading('ERR_OPTION', 'betas', betas, () => {
      if (!Array.isArray(betas) || betas.length !== 2) throw optionError('betas', 'a list of two numbers', betas);
      return [checkFraction('betas[0]', betas[0]), checkFraction('betas[1]', betas[1])];
    });
    this.#eps = checkNotNegative('eps', eps);
    this.#weightDecay = checkNotNegative('weightDecay', weightDecay);
  }

  /** @internal Weight decay as part of the gradient, and as what is taken off a parameter. */
  protected decays(weightDecay: number): [ofGradient: number, taken: number] {
    return [weightDecay, 0];
  }

  /** @internal */
  protected rule(step: number): readonly number[] {
    const [beta1, beta2] = this.#betas;
    const stepSize = this.learningRate / (1 - beta1 ** step);
    const scale = 1 / Math.sqrt(1 - beta2 ** step);
    const decays = this.decays(this.#weightDecay);
    return [...decays, beta1, 1 - beta1, beta2, 1 - beta2, stepSize, scale, this.#eps];
  }
}

/**
 * Loshchilov and Hutter, "Decoupled Weight Decay Regularization" (2019), as PyTorch's `AdamW`: `Adam` that takes
 * learningRate weightDecay x off a parameter x beside the step.
 */
export class AdamW extends Adam {
  /** @throws Conv1dError ERR_OPTION. */
  constructor(options: AdamOptions = {}) {
    const { weightDecay = 0.01, ...others } = pickOptions(options, adamNames);
    super({ ...others, weightDecay });
  }

  /** @internal */
  protected override decays(weightDecay: number): [ofGradient: number, taken: number] {
    return [0, this.learningRate * weightDecay];
  }
}

/** Options of `RmsProp`. */
export interface RmsPropOptions {
  /** >= 0. Default 0.01. */
  learningRate?: number;
  /** Of the running averages, from 0 to 1. Default 0.99. */
  alpha?: number;
  /** Added to the root of the average of squares, >= 0. Default 1e-8. */
  eps?: number;
  /** Of the parameter, added to its gradient. >= 0. Default 0. */
  weightDecay?: number;
  /** >= 0. Default 0: none. */
  momentum?: number;
  /** Whether gradients are divided by their deviation instead. Default false. */
  centered?: boolean;
}

/**
 * Tieleman and Hinton's RMSprop (2012), as PyTorch's; its states are `square_avg`, `step`, and `grad_avg` and
 * `momentum_buffer` where there are such. v = alpha v + (1 - alpha) g^2, x -= learningRate g / (sqrt(v) + eps); centered
 * takes the square of the running average of g off v (Graves, "Generating Sequences With Recurrent Neural Networks", 2013).
 */
export class RmsProp extends Optimizer {
  /** @internal */
  protected readonly stateNames: readonly (string | null)[];
  /** @internal */
  protected readonly countsSteps = true;
  /** @internal */
  protected readonly coreFunction = 'optimizeRmsProp';
  readonly #alpha: number;
  readonly #eps: number;
  readonly #weightDecay: number;
  readonly #momentum: number;
  readonly #centered: boolean;

  /** @throws Conv1dError ERR_OPTION. */
  constructor(options: RmsPropOptions = {}) {
    const names = ['learningRate', 'alpha', 'eps', 'weightDecay', 'momentum', 'centered'] as const;
    const given = pickOptions(options, names);
    const { learningRate = 0.01, alpha = 0.99, eps = 1e-8, weightDecay = 0, momentum = 0, centered = false } = given;
    super(learningRate);
    this.#alpha = checkNumber('alpha', alpha, 'a number from 0 to 1', (number) => number >= 0 && number <= 1);
    this.#eps = checkNotNegative('eps', eps);
    this.#weightDecay = checkNotNegative('weightDecay', weightDecay);
    this.#momentum = checkNotNegative('momentum', momentum);
    this.#centered = checkFlag('centered', centered);
    this.stateNames = ['square_avg', centered ? 'grad_avg' : null, momentum > 0 ? 'momentum_buffer' : null];
  }

  /** @internal */
  protected rule(): readonly number[] {
    const rest = 1 - this.#alpha;
    const ofGradient = this.#centered ? rest : 0;
    return [this.#weightDecay, this.#alpha, rest, ofGradient, this.#eps, this.#momentum, this.learningRate];
  }
}
