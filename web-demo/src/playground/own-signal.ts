import { element, input, setText } from '../common/controls';
import { count, plural } from '../common/format';
import { readFile, recordMicrophone, type Recording } from '../common/samples';
import { keepRecording } from './source';

const recordSeconds = 10;

/** Files and recordings: the buttons below the signal's fields, and files dropped on its card. */
export class OwnSignal {
  readonly #file = input('file');
  readonly #record = element('record');
  readonly #note = element('source-note');
  #ending: AbortController | null = null;

  /** `onRecording` is told when there is another. */
  constructor(
    card: HTMLElement,
    readonly onRecording: (recording: Recording) => void,
  ) {
    this.#file.addEventListener('change', () => {
      const file = this.#file.files?.[0];
      this.#file.value = ''; // so that the same file can be chosen again
      if (file) void this.#take(readFile(file), `Reading ${file.name}`);
    });
    this.#record.addEventListener('click', () => {
      if (this.#ending) this.#ending.abort();
      else void this.#recordNow();
    });
    card.addEventListener('dragover', (event) => {
      event.preventDefault();
    });
    card.addEventListener('drop', (event) => {
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file) void this.#take(readFile(file), `Reading ${file.name}`);
    });
  }

  say(text: string, isTrouble = false): void {
    setText(this.#note, text);
    this.#note.toggleAttribute('data-trouble', isTrouble);
  }

  async #recordNow(): Promise<void> {
    this.#ending = new AbortController();
    setText(this.#record, 'Stop');
    await this.#take(recordMicrophone(recordSeconds, this.#ending.signal), `Recording, up to ${recordSeconds} seconds`);
    this.#ending = null;
    setText(this.#record, 'Record');
  }

  async #take(coming: Promise<Recording>, meanwhile: string): Promise<void> {
    this.say(meanwhile);
    try {
      const recording = await coming;
      keepRecording(recording);
      this.say(description(recording));
      this.onRecording(recording);
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error), true);
    }
  }
}

function description({ name, channels, sampleRate }: Recording): string {
  const rate = sampleRate === null ? '' : ` at ${count(sampleRate)} Hz`;
  return `${name}: ${plural(channels[0]?.length ?? 0, 'sample')}${rate}, ${plural(channels.length, 'channel')}. It stays on this machine.`;
}
