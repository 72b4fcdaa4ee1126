import { element, fillSelect, input, select, setText } from '../common/controls';
import * as kernels from '../common/kernels';
import { shapes } from '../common/signals';
import { custom, defaults, freePaddings, offers, type Fields } from './settings';
import { otherSources, ownRecording, repeats, type SourceName } from './source';

type Field = keyof Fields;

const ids = Object.keys(defaults) as Field[];

export function fillSelects(): void {
  const labels = (table: Record<string, { label: string }>) => Object.values(table).map(({ label }) => label);
  const named: Record<string, readonly string[]> = {
    shape: [...labels(shapes), ...Object.values(otherSources)],
    preset: [...labels(kernels.presets), 'By hand'],
  };
  for (const [id, values] of Object.entries(offers)) fillSelect(id, values, named[id]);
}

/** What the fields say. A number that is not there is NaN. */
export function readFields(): Fields {
  const read = (id: Field) => {
    const standard = defaults[id];
    if (typeof standard === 'string') return select(id).value;
    return typeof standard === 'number' ? input(id).valueAsNumber : input(id).checked;
  };
  return Object.fromEntries(ids.map((id) => [id, read(id)])) as Fields;
}

export function writeFields(fields: Fields): void {
  for (const id of ids) {
    const value = fields[id];
    if (typeof value === 'boolean') {
      input(id).checked = value;
    } else if (typeof value === 'number') {
      input(id).value = String(value);
    } else {
      select(id).value = value;
    }
  }
}

/** The names and limits of a preset's numbers. */
export function showParameters(preset: string): void {
  const { parameters } = preset === custom ? { parameters: [] } : kernels.presets[preset as kernels.PresetName];
  for (const i of [0, 1]) {
    const field = input(`parameter-${i}`);
    const parameter = (parameters as readonly kernels.Parameter[])[i];
    field.closest<HTMLElement>('.field')?.toggleAttribute('data-unused', !parameter);
    if (!parameter) continue;
    setText(element(`parameter-${i}-label`), parameter.label);
    const { min, max, step } = parameter;
    Object.assign(field, { min: String(min), max: String(max), step: String(step) });
  }
}

/** Shows which fields mean something beside the others. */
export function enableFields({ shape, noise, padding, bias, activation }: Fields): void {
  const free = freePaddings(padding);
  const isOwn = shape === 'own';
  input('padLeft').disabled = free === 0;
  input('padRight').disabled = free < 2;
  input('biasValue').disabled = !bias;
  input('slope').disabled = activation !== 'leaky_relu';
  input('cycles').disabled = !repeats(shape as SourceName);
  element('cycles-field').hidden = isOwn;
  element('start-field').hidden = !isOwn;
  input('start').disabled = ownRecording() === null;
  setText(element('noise-value'), `${noise} %`);
}
