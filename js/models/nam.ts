// Neural amp models, as https://github.com/sdatkinson/NeuralAmpModelerCore reads them.
import { Network, type Runtime } from '../api.js';
import { optionError, pickOptions, reading, stateDictError } from '../common/errors.js';
import { Field } from './field.js';
import { readLstm } from './lstm.js';
import type { Model } from './model.js';
import { readWaveNet } from './wavenet.js';
import { Weights, Workshop } from './weights.js';

/** Options of `readNam`. */
export interface NamOptions {
  /**
   * Which model of a file that holds several, such as A2's: `'full'` (default) is the last and largest, `'lite'` the
   * first; a number from 0 to 1 chooses the first whose `max_value` is above it, as in NeuralAmpModelerCore. Of a file
   * with one model it changes nothing.
   */
  size?: 'lite' | 'full' | number;
  /** The runtime of the layers. Default: that of `init()`. */
  runtime?: Runtime;
}

/** What a file says about its model; what it does not say is undefined. */
export interface NamMetadata {
  readonly name?: string;
  /** Who made the model. */
  readonly modeledBy?: string;
  /** 'amp', 'pedal' and so on. */
  readonly gearType?: string;
  readonly gearMake?: string;
  readonly gearModel?: string;
  /** 'clean', 'overdrive' and so on. */
  readonly toneType?: string;
  /** Of the output for the training signal, in dB. */
  readonly loudness?: number;
  /** How far it drives its input, from 0 to 1. */
  readonly gain?: number;
  /** The level, in dBu, of the analog signal that was a sine of peak 1 in front of the model, and behind it. */
  readonly inputLevelDbu?: number;
  readonly outputLevelDbu?: number;
}

/** A neural amp model, ready to run. */
export interface NamModel {
  /** From (1, L) to (1, L), unless the file has more channels. Causal: a stream has latency 0. */
  readonly network: Network;
  /** In Hz. 48000 where the file does not say. */
  readonly sampleRate: number;
  /** `'WaveNet'`, of the model chosen. */
  readonly architecture: string;
  /** The `max_value` of each model of the file, rising: a `size` below it chooses the model. Of a file with one model [1]. */
  readonly sizes: readonly number[];
  /**
   * Samples of silence before a signal after which the model has settled, as it is in a host: put as many zeros before
   * a whole signal for `network.forward`, and drop as many outputs. A stream needs none, but `stream.settle()`.
   */
  readonly prewarm: number;
  readonly metadata: NamMetadata;
  /**
   * The model as its file has it, with the weights of now: `JSON.stringify(model)` is a .nam file. Of a file with several
   * models, the one chosen.
   *
   * @throws Conv1dError ERR_DISPOSED.
   */
  toJSON(): object;
  /** Frees the network and its layers at once; its streams stay. May be called twice. */
  dispose(): void;
}

/** A model with what its file says beside the network. */
interface FileModel extends Model {
  file: Field;
  architecture: string;
  sampleRate: number | undefined;
  sizes: readonly number[];
  metadata: NamMetadata;
}

/** In Hz, of files that do not say. */
const usualRate = 48000;

/** Where between the smallest and the largest model `size` is. */
function readSize(size: unknown): number {
  if (size === 'full') return 1;
  if (size === 'lite') return 0;
  if (typeof size === 'number' && size >= 0 && size <= 1) return size;
  throw optionError('size', "'lite', 'full' or a number from 0 to 1", size);
}

function parse(json: unknown): Field {
  let value = json;
  if (typeof json === 'string') {
    try {
      value = JSON.parse(json);
    } catch (error) {
      throw stateDictError('json', `not a .nam file: ${String(error)}`, undefined, error);
    }
  }
  if (Object.prototype.toString.call(value) === '[object Object]') return new Field(value, '');
  throw new Field(value, 'json').error('the text of a .nam file, or the object that it holds');
}

/** A copy of a file's value with other lists in place of some. */
function withLists(value: unknown, lists: ReadonlyMap<unknown, number[]>): unknown {
  const list = lists.get(value);
  if (list) return list;
  if (Array.isArray(value)) return value.map((item) => withLists(item, lists));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withLists(item, lists)]));
}

function checkVersion(field: Field): void {
  const [, major, minor] = /^(\d+)\.(\d+)\.\d+$/.exec(field.text()) ?? [];
  if (major === undefined) throw field.error("a version such as '0.5.4'");
  if (major !== '0' || Number(minor) < 5 || Number(minor) > 7) throw field.unsupported('known are 0.5 to 0.7');
}

function readMetadata(field: Field): NamMetadata {
  const text = (name: string) => (field.at(name).isThere ? field.at(name).text() : undefined);
  const number = (name: string) => (field.at(name).isThere ? field.at(name).number() : undefined);
  const read = {
    ...{ name: text('name'), modeledBy: text('modeled_by'), gearType: text('gear_type'), gearMake: text('gear_make') },
    ...{
      gearModel: text('gear_model'),
      toneType: text('tone_type'),
      loudness: number('loudness'),
      gain: number('gain'),
    },
    ...{ inputLevelDbu: number('input_level_dbu'), outputLevelDbu: number('output_level_dbu') },
  };
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined));
}

/** The model at `file`, or the one in it that `size` chooses. `written` gets its weights, and those of models in it. */
function readModel(file: Field, size: number, workshop: Workshop, written: Weights[]): FileModel {
  checkVersion(file.at('version'));
  const rate = file.at('sample_rate');
  const sampleRate = rate.isThere ? rate.number() : undefined;
  if (sampleRate !== undefined && sampleRate <= 0) throw rate.error('a number above 0');
  const metadata = readMetadata(file.at('metadata'));
  const architecture = file.at('architecture').text();
  const config = file.at('config');
  const nested = (field: Field): FileModel => {
    const model = readModel(field, size, workshop, written);
    if (sampleRate === undefined || model.sampleRate === undefined || model.sampleRate === sampleRate) return model;
    throw field.at('sample_rate').error(`${String(sampleRate)}, as of the model around it`);
  };
  const whole = (read: (weights: Weights) => Model): FileModel => {
    const weights = new Weights(file.at('weights'), workshop);
    const model = read(weights);
    weights.read();
    written.push(weights);
    return { ...model, file, architecture, sampleRate, sizes: [1], metadata };
  };
  return file.at('architecture').choice<() => FileModel>({
    WaveNet: () => whole((weights) => readWaveNet(config, weights, nested)),
    LSTM: () => whole((weights) => readLstm(config, weights, sampleRate ?? usualRate)),
    SlimmableContainer() {
      const { field, sizes } = chooseModel(config, size);
      const model = nested(field);
      return {
        ...model,
        sizes,
        sampleRate: model.sampleRate ?? sampleRate,
        metadata: { ...metadata, ...model.metadata },
      };
    },
  })();
}

/** The model for `size` among those of a container, and what the sizes of all are. */
function chooseModel(config: Field, size: number): { field: Field; sizes: readonly number[] } {
  config.checkNames(['submodels']);
  const models = config.at('submodels');
  let last = -Infinity;
  const sizes = models.list().map((model) => {
    const most = model.at('max_value');
    if (most.number() <= last) throw most.error(`above that of the model before, ${String(last)}`);
    return (last = most.number());
  });
  const highest = models.item(sizes.length - 1);
  if (last < 1) throw highest.at('max_value').error('at least 1 in the last model');
  const index = sizes.findIndex((most) => size < most);
  return { field: (index < 0 ? highest : models.item(index)).at('model'), sizes };
}

/**
 * The neural amp model in a .nam file: WaveNet (A1, A2, and what they may have beside), LSTM, and the containers of
 * several sizes. The file is checked whole before any memory is taken in wasm; `init()` comes first.
 *
 * In a stream, `settle()` is what hosts call prewarming: it goes on after endless silence, and NeuralAmpModelerCore runs
 * `prewarm` samples of silence through a model when it resets it, after which WaveNet gives the same bits. An LSTM, which
 * never forgets altogether, gives what it converges to; it starts from zero instead of from the state in its file.
 *
 * @param json the text of the file, or the object that it holds.
 * @throws Conv1dError ERR_STATE_DICT when the file breaks its format, ERR_UNSUPPORTED for what is not known of it, by
 *   name; ERR_OPTION, ERR_NOT_INITIALIZED, ERR_OUT_OF_MEMORY.
 */
export function readNam(json: string | object, options: NamOptions = {}): NamModel {
  const { size = 'full', runtime } = pickOptions(options, ['size', 'runtime']);
  const share = readSize(size);
  const workshop = new Workshop(runtime);
  const weights: Weights[] = [];
  const model = reading('ERR_STATE_DICT', 'json', json, () => readModel(parse(json), share, workshop, weights));
  const { architecture, sampleRate = usualRate, sizes, metadata, prewarm } = model;
  try {
    const network = new Network(model.inChannels, model.apply, { layers: workshop.layers });
    const dispose = () => {
      network.dispose();
      workshop.dispose();
    };
    const toJSON = () => {
      const lists = new Map<unknown, number[]>(weights.map((own) => [own.given, own.write()]));
      return withLists(model.file.value, lists) as object;
    };
    return { network, sampleRate, architecture, sizes, prewarm, metadata, toJSON, dispose };
  } catch (error) {
    workshop.dispose();
    throw error;
  }
}
