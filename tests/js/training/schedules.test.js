// Schedules, against those of PyTorch.
import { cosine, stepDecay, warmUp } from 'conv1d-wasm/train';
import { thrown } from '../support.js';
import { cases } from './fixtures.js';

const schedules = { cosine, stepDecay, warmUp };

test.each(cases.schedules)('$schedule $options', ({ schedule, options, factors }) => {
  const factorAt = schedules[schedule](options);
  factors.forEach((factor, count) => expect(Math.abs(factorAt(count) - factor)).toBeLessThan(1e-13));
});

test.each([
  [() => cosine({ steps: 0 }), 'steps', 'steps must be an integer >= 1, got 0'],
  [() => cosine({}), 'steps', 'steps must be an integer >= 1, got undefined'],
  [() => cosine({ steps: 5, least: -1 }), 'least', 'least must be a number >= 0, got -1'],
  [() => stepDecay({ size: 2.5 }), 'size', 'size must be an integer >= 1, got 2.5'],
  [() => stepDecay({ size: 2, gamma: 0 }), 'gamma', 'gamma must be a number > 0, got 0'],
  [() => warmUp({ start: 2 }), 'start', 'start must be a number from 0 to 1, got 2'],
  [() => warmUp({ step: 2 }), 'step', "unknown option 'step' (did you mean steps?); there are steps, start"],
])('%s', (action, field, message) => {
  expect(thrown(action)).toMatchObject({ code: 'ERR_OPTION', field, message });
});
