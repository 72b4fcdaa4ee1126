import type { Runtime } from 'conv1d-wasm';
import { isDense } from '../../../bench/layer.js';
import shapes from '../../../bench/shapes.json';
import { element, fillSelect, input, select, setText, textArea } from '../common/controls';
import type { Page } from '../page';
import { Board, describeShape } from './board';
import { markdown, summary } from './markdown';
import type { Shape } from './messages';
import html from './race.html?raw';
import { race, type RaceSettings } from './race';
import { Results } from './results';
import './style.css';

// Of every kind there is, none so long that plain JavaScript takes more than some tenths of a second.
const selection = 'tasnet.encoder whisper.conv1 tasnet.depthwise wavenet.d512 tcn.64 kws.40x16 fir.2ch.k1024'.split(
  ' ',
);

const stateOf = (page: Page) =>
  page.state('race', { layers: 'selection', resident: true, threads: true, relaxed: true, half: false });

export async function mount(root: HTMLElement, page: Page): Promise<void> {
  root.innerHTML = html;
  const panel = new RacePanel(stateOf(page));
  try {
    panel.welcome(await page.runtime);
  } catch (error) {
    panel.say(`The library could not be loaded: ${error instanceof Error ? error.message : String(error)}`);
  }
}

class RacePanel {
  #runtime: Runtime | null = null;
  #results: Results;
  #board: Board;
  #running: AbortController | null = null;
  #isDrawing = false;

  constructor(readonly state: ReturnType<typeof stateOf>) {
    const names = shapes.map(({ name }) => name);
    fillSelect(
      'race-layers',
      ['selection', 'all', ...names],
      [
        `${selection.length} layers of all kinds`,
        `All ${shapes.length} layers (takes minutes)`,
        ...shapes.map((shape) => `${shape.name}: ${describeShape(shape)}`),
      ],
    );
    const { layers, resident, ...switches } = state.get();
    select('race-layers').value = ['selection', 'all', ...names].includes(layers) ? layers : 'selection';
    select('race-resident').value = String(resident);
    for (const [name, on] of Object.entries(switches)) input(`race-${name}`).checked = on;
    [this.#results, this.#board] = this.#lineUp();

    const form = element('race-form') as HTMLFormElement;
    form.addEventListener('change', () => this.#onChange());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#start();
    });
    element('race-cancel').addEventListener('click', () => this.#running?.abort(new Error('cancelled')));
    element('race-copy').addEventListener('click', () => void this.#copy());
    this.#showSwitches();
  }

  /** The library is there. */
  welcome(runtime: Runtime): void {
    this.#runtime = runtime;
    this.#onChange();
    this.say('The other libraries, some megabytes, load when you start.');
  }

  say(status: string): void {
    setText(element('race-status'), status);
  }

  get #shapes(): readonly Shape[] {
    const { value } = select('race-layers');
    if (value === 'all') return shapes;
    return shapes.filter(({ name }) => (value === 'selection' ? selection.includes(name) : name === value));
  }

  #settings(): RaceSettings {
    const isOn = (name: string) => input(`race-${name}`).checked && !input(`race-${name}`).disabled;
    return {
      shapes: this.#shapes,
      threads: isOn('threads') ? (this.#runtime?.threads ?? 1) : 1,
      relaxed: isOn('relaxed'),
      half: isOn('half'),
      resident: select('race-resident').value === 'true',
    };
  }

  /** Empty tables for what is chosen. */
  #lineUp(): [Results, Board] {
    const results = new Results(this.#settings(), () => this.#draw());
    return [results, new Board(results)];
  }

  #onChange(): void {
    this.state.set({
      layers: select('race-layers').value,
      resident: select('race-resident').value === 'true',
      threads: input('race-threads').checked,
      relaxed: input('race-relaxed').checked,
      half: input('race-half').checked,
    });
    this.#showSwitches();
    // What was measured stays until the next start.
    if (!this.#running && !this.#results.begun) [this.#results, this.#board] = this.#lineUp();
  }

  #showSwitches(): void {
    const show = (name: string, able: boolean, why: string) => {
      input(`race-${name}`).disabled = !able;
      setText(element(`race-${name}-why`), why);
    };
    const { threads = 1, threadsReason = null, variant = 'simd' } = this.#runtime ?? {};
    const isLoaded = this.#runtime !== null;
    show(
      'threads',
      threads > 1,
      threads > 1 ? `${threads} for each library but plain JavaScript.` : isLoaded ? `Not here: ${threadsReason}` : '',
    );
    show(
      'relaxed',
      variant === 'relaxed',
      variant === 'relaxed'
        ? 'Fused multiply and add. LiteRT.js has it in any case, the others never.'
        : isLoaded
          ? 'Not here: this engine has no relaxed SIMD.'
          : '',
    );
    const [dense, resident] = [this.#shapes.some(isDense), select('race-resident').value === 'true'];
    show(
      'half',
      isLoaded && dense && resident,
      !dense
        ? 'Only timed on dense layers: choose another.'
        : resident
          ? 'Half the memory. A row of its own, on dense layers.'
          : 'Only timed where tensors stay.',
    );
    (element('race-start') as HTMLButtonElement).disabled = !isLoaded || this.#running !== null;
    (element('race-cancel') as HTMLButtonElement).disabled = this.#running === null;
    (element('race-copy') as HTMLButtonElement).disabled = !this.#results.begun;
  }

  async #start(): Promise<void> {
    if (this.#running || !this.#runtime) return;
    this.#running = new AbortController();
    element('race-markdown').hidden = true;
    [this.#results, this.#board] = this.#lineUp();
    this.#results.begun = true;
    this.#showSwitches();
    let end = 'Done.';
    try {
      await race(this.#results.settings, this.#results, this.#running.signal);
    } catch (error) {
      end = this.#running.signal.aborted
        ? 'Cancelled; what was measured stays.'
        : `The race broke off: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.#running = null;
    this.#results.status = end;
    this.#showSwitches();
    this.#draw();
  }

  /** Shows what is known, once a frame. */
  #draw(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      this.#board.render();
      this.say(this.#results.status);
      setText(element('race-summary'), summary(this.#results));
      (element('race-progress') as HTMLProgressElement).value = this.#results.progress;
    });
  }

  async #copy(): Promise<void> {
    const text = markdown(this.#results);
    try {
      await navigator.clipboard.writeText(text);
      this.say('Copied, as Markdown.');
    } catch {
      textArea('race-markdown').value = text;
      textArea('race-markdown').hidden = false;
      textArea('race-markdown').select();
      this.say('The browser does not let this page copy; here is the text.');
    }
  }
}
