// Signals of somebody's own: files and recordings. What cannot be read is told in a sentence for people.

/** Samples from a file or a microphone. */
export interface Recording {
  /** What to call it. */
  name: string;
  channels: Float32Array[];
  /** Samples per second, where it is known. */
  sampleRate: number | null;
}

/** Reads a sound, or a text file of numbers whose columns are channels. */
export async function readFile(file: File): Promise<Recording> {
  const isText = /\.(csv|tsv|txt)$/i.test(file.name) || file.type.startsWith('text/');
  const recording = await (isText ? readTable(file) : readSound(file));
  if ((recording.channels[0]?.length ?? 0) === 0) throw new Error(`${file.name} holds no samples.`);
  return recording;
}

/** A WAV file at its own rate; what wavefile cannot read, and other formats, as the browser decodes them. */
export async function readSound(file: File): Promise<Recording> {
  const content = await file.arrayBuffer();
  const isWav = /^(RIFF|RIFX|RF64)$/.test(new TextDecoder('latin1').decode(content.slice(0, 4)));
  const samples = (isWav ? await readWav(content) : null) ?? (await decode(file.name, content));
  return { name: file.name, ...samples };
}

type Samples = Omit<Recording, 'name'>;

async function readWav(content: ArrayBuffer): Promise<Samples | null> {
  const { WaveFile } = await import('wavefile');
  try {
    const wave = new WaveFile(new Uint8Array(content));
    wave.toBitDepth('32f');
    const { sampleRate } = wave.fmt as { sampleRate: number };
    const samples = wave.getSamples(false, Float32Array) as unknown as Float32Array | Float32Array[];
    return { channels: Array.isArray(samples) ? samples : [samples], sampleRate };
  } catch {
    return null;
  }
}

const decoderRate = 48_000;

async function decode(name: string, content: ArrayBuffer): Promise<Samples> {
  try {
    const buffer = await new OfflineAudioContext(1, 1, decoderRate).decodeAudioData(content);
    return { channels: channelsOf(buffer), sampleRate: buffer.sampleRate };
  } catch (error) {
    throw new Error(`${name} is neither a sound that this browser knows nor a .csv or .txt file of numbers.`, {
      cause: error,
    });
  }
}

const channelsOf = (buffer: AudioBuffer) =>
  Array.from({ length: buffer.numberOfChannels }, (_, c) => buffer.getChannelData(c));

async function readTable(file: File): Promise<Recording> {
  const { default: Papa } = await import('papaparse');
  const text = await file.text();
  const rows = Papa.parse<string[]>(text.trim(), { skipEmptyLines: 'greedy' }).data;
  const numbers = rows.map((row) => row.map((cell) => (cell.trim() === '' ? NaN : Number(cell))));
  const isHead = numbers[0]?.some(Number.isNaN) ?? false;
  const body = isHead ? numbers.slice(1) : numbers;
  if (body.length === 0) throw new Error(`${file.name} holds no numbers.`);
  const width = body[0]?.length ?? 0;
  for (const [i, row] of body.entries()) {
    const line = i + (isHead ? 2 : 1);
    const wrong = row.findIndex((value) => !Number.isFinite(value));
    if (wrong >= 0) {
      const cell = rows[line - 1]?.[wrong] ?? '';
      throw new Error(`${file.name}, row ${line}: “${cell.slice(0, 20)}” is not a number.`);
    }
    if (row.length !== width) {
      throw new Error(`${file.name}, row ${line} has ${row.length} columns, the rows before it ${width}.`);
    }
  }
  // Numbers in one line are a signal, too.
  const columns = body.length === 1 ? body : Array.from({ length: width }, (_, c) => body.map((row) => row[c] ?? 0));
  return { name: file.name, channels: columns.map((column) => Float32Array.from(column)), sampleRate: null };
}

/** The microphone; the caller stops its tracks. */
export async function openMicrophone(): Promise<MediaStream> {
  if (!('mediaDevices' in navigator)) {
    throw new Error('This page has no microphone: browsers give one to pages that come by https only.');
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
  } catch (error) {
    throw new Error(microphoneTrouble(error), { cause: error });
  }
}

function microphoneTrouble(error: unknown): string {
  const name = error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError')
    return 'The microphone was not allowed; the browser’s settings of this page change that.';
  if (name === 'NotFoundError') return 'No microphone was found on this machine.';
  return `The microphone could not be opened (${wordsOf(error)}).`;
}

/** Records until the time is over or `signal` ends it. */
export async function recordMicrophone(seconds: number, signal: AbortSignal): Promise<Recording> {
  const stream = await openMicrophone();
  try {
    const recorder = new MediaRecorder(stream);
    const parts: Blob[] = [];
    recorder.addEventListener('dataavailable', ({ data }) => parts.push(data));
    const ended = new Promise((resolve) => recorder.addEventListener('stop', resolve, { once: true }));
    const stop = () => {
      if (recorder.state !== 'inactive') recorder.stop();
    };
    recorder.start();
    const timer = setTimeout(stop, seconds * 1000);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    await ended;
    clearTimeout(timer);
    const content = await new Blob(parts).arrayBuffer();
    return { name: 'Recording', ...(await decode('The recording', content)) };
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
