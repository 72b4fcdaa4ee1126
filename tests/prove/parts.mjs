// The parts of `npm run prove`: what each counts, in full and in a run of a minute, and how it runs. A part gets its
// counts, the seed and `open`, which gives what it did before, and gives { figures, failures }, lists of lines.
import { aarch64 } from './aarch64.mjs';
import { fuzz } from './fuzz.mjs';
import { memory } from './memory.mjs';
import { networks } from './networks.mjs';
import { random } from './random.mjs';
import { soak } from './soak.mjs';

export const parts = { random, networks, memory, fuzz, soak, aarch64 };
