import { element, input, setText } from '../common/controls';
import { copyOnClick } from '../common/copy';
import type { Page } from '../page';
import { beyondPage, splitProblem } from '../playground/layer';
import { allDefaults, bankOf, layerOf, sourceOf, understood, type Settings } from '../playground/settings';
import { makeSource, ownRecording, sourceProblem } from '../playground/source';
import html from './code.html?raw';
import { javascript } from './javascript';
import { layerCode, type LayerCode } from './layer-code';
import { megengine } from './megengine';
import { pytorch } from './pytorch';
import './style.css';

const languages: Record<string, { title: string; write: (layer: LayerCode) => string }> = {
  javascript: { title: 'JavaScript', write: javascript },
  pytorch: { title: 'PyTorch', write: pytorch },
  megengine: { title: 'MegEngine', write: megengine },
};

export function mount(root: HTMLElement, page: Page): void {
  root.innerHTML = html;
  const playground = page.state('playground', allDefaults);
  const own = page.state('code', { whole: false });
  const whole = input('code-whole');
  const note = element('code-note');
  const byHand = (text: string) => setText(note, `The browser does not let this page copy; here it is: ${text}`);
  for (const [id, { title }] of Object.entries(languages)) element('code-cards').append(card(id, title, note));
  copyOnClick(element('code-link'), () => page.link().replace(/#[^?]*/, '#playground'), byHand);

  const show = () => {
    const problem = write(understood(playground.get()), own.get().whole);
    setText(note, problem ?? '');
    element('code-cards').hidden = problem !== null;
  };
  whole.checked = own.get().whole;
  whole.addEventListener('input', () => {
    own.set({ whole: whole.checked });
    show();
  });
  page.onShown('code', (shown) => {
    if (shown) show();
  });
}

/** The code of a language and the button that copies it. */
function card(id: string, title: string, note: HTMLElement): HTMLElement {
  const made = document.createElement('section');
  made.className = 'card code-card';
  made.innerHTML = `<div class="head">
      <h3 id="code-${id}-title">${title}</h3>
      <button class="small" type="button" id="code-${id}-copy" aria-describedby="code-${id}-title">Copy</button>
    </div>
    <pre id="code-${id}" tabindex="0" role="region" aria-labelledby="code-${id}-title"></pre>`;
  const code = made.querySelector('pre') as HTMLElement;
  copyOnClick(
    made.querySelector('button') as HTMLElement,
    () => code.textContent ?? '',
    () => {
      getSelection()?.selectAllChildren(code);
      setText(note, 'The browser does not let this page copy. The code is selected: Ctrl+C copies it.');
    },
  );
  return made;
}

/** Writes the code, or says why there is none. */
function write(settings: Settings, whole: boolean): string | null {
  const bank = bankOf(settings);
  const config = layerOf(settings, bank.size);
  const source = sourceOf(settings);
  const isLost = source.shape === 'own' && ownRecording() === null; // an address holds no file
  const problem = (isLost ? null : sourceProblem(source)) ?? beyondPage(config) ?? splitProblem(config);
  if (problem) return `There is no code for what the playground is set to. ${problem.sentence}`;
  const layer = layerCode(config, bank, makeSource(source, config.inChannels), whole);
  const shown = isLost ? { ...layer, samples: null } : layer;
  for (const [id, { write: code }] of Object.entries(languages)) setText(element(`code-${id}`), code(shown));
  return null;
}
