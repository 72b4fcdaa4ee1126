// What the compiler makes of the entry for models from files, which has the types of the main one.
import { Network, type Runtime } from 'conv1d-wasm';
import { readNam, type NamMetadata, type NamModel } from 'conv1d-wasm/models';
import { readNam as readNamThere } from 'conv1d-wasm/worklet/models';
import { expectType } from './equal.js';

declare const runtime: Runtime;
const model = readNam('{}', { size: 'lite', runtime });
expectType<NamModel>()(model);
expectType<Network>()(model.network);
expectType<number>()(model.sampleRate);
expectType<readonly number[]>()(model.sizes);
expectType<string | undefined>()(model.metadata.name);
expectType<NamMetadata>()(readNamThere({}, { size: 0.5 }).metadata);
// @ts-expect-error: there are lite and full
readNam('{}', { size: 'small' });
// @ts-expect-error: the text of the file, not its bytes or its name
readNam(5);
// @ts-expect-error: it cannot be set
model.prewarm = 5;
