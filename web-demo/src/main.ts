import { init } from 'conv1d-wasm';
import { element, setText } from './common/controls';
import { builds, plural } from './common/format';
import { Rooms, type Page } from './page';
import { panels } from './panels';

function showState(state: 'ready' | 'failed', text: string): void {
  element('pill').dataset.state = state;
  setText(element('pill'), text);
}

/** Builds a panel within its section. */
async function mount(section: HTMLElement, page: Page): Promise<void> {
  const body = section.querySelector<HTMLElement>('.panel-body');
  const load = panels[section.id];
  if (!body || !load) return;
  try {
    const module = await load();
    body.replaceChildren();
    await module.mount(body, page);
    body.dataset.state = 'ready';
  } catch (error) {
    body.dataset.state = 'failed';
    setText(body, `This panel could not be opened: ${error instanceof Error ? error.message : String(error)}`);
    throw error;
  }
}

// The page is there; the library comes when it comes.
const runtime = init();
runtime.then(
  ({ variant, threads }) => showState('ready', `${builds[variant]}, ${plural(threads, 'thread')}`),
  () => showState('failed', 'Not loaded'),
);

const siteTitle = document.title;
const sections = Array.from(document.querySelectorAll<HTMLElement>('.panel'));
const page = new Rooms(
  runtime,
  sections.map(({ id }) => id),
);
for (const section of sections) {
  const link = document.querySelector(`#nav a[href='#${section.id}']`);
  let isMounted = false;
  page.onShown(section.id, (shown) => {
    section.hidden = !shown;
    link?.removeAttribute('aria-current');
    if (!shown) return;
    link?.setAttribute('aria-current', 'page');
    document.title = `${section.querySelector('h2')?.textContent ?? ''} · ${siteTitle}`;
    if (!isMounted) void mount(section, page);
    isMounted = true;
  });
}
