import { setText } from './controls';

const feedbackTime = 2000;

/** Makes a button copy a text, and say so. Where the browser does not let it, `fallback` hands the text over. */
export function copyOnClick(button: HTMLElement, text: () => string, fallback: (text: string) => void): void {
  const label = button.textContent ?? '';
  let timer = 0;
  const say = (word: string) => {
    setText(button, word);
    clearTimeout(timer);
    timer = window.setTimeout(() => setText(button, label), feedbackTime);
  };
  button.setAttribute('aria-live', 'polite');
  button.addEventListener('click', () => {
    const copied = text();
    navigator.clipboard.writeText(copied).then(
      () => say('Copied'),
      () => fallback(copied),
    );
  });
}
