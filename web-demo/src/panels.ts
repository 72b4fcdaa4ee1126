import type { Page } from './page';

export interface PanelModule {
  /** Builds the panel within `root`. */
  mount(root: HTMLElement, page: Page): void | Promise<void>;
}

/** What brings each panel of index.html, by its id; a panel's code comes when it is opened. */
export const panels: Record<string, () => Promise<PanelModule>> = {
  playground: () => import('./playground'),
  code: () => import('./code'),
  'receptive-field': () => import('./receptive-field'),
  race: () => import('./race'),
  sound: () => import('./sound'),
  streaming: () => import('./streaming'),
  machine: () => import('./machine'),
};
