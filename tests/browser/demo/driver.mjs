// The demo page in somebody's hands: what the tests of every panel use.

export function expect(condition, message) {
  if (!condition) throw new Error(message);
}

export function expectEqual(got, expected, what) {
  const [a, b] = [got, expected].map((value) => JSON.stringify(value));
  expect(a === b, `${what} is ${brief(a)}, expected ${brief(b)}`);
}

const brief = (text) => (text?.length > 300 ? `${text.slice(0, 300)}...` : text);

const kReadyLimit = 60_000; // ends a page that never gets ready, says nothing about speed

let visits = 0; // makes each address another, so that the page is loaded

/** One panel of the page, in somebody's hands. A panel's tests may extend it. */
export class Demo {
  /** @param {import('../engines.mjs').Page} page */
  constructor(page, url, isolated, panel, engine) {
    this.page = page;
    this.native = page.native;
    this.url = url;
    this.isolated = isolated;
    this.panel = panel;
    this.engine = engine;
  }

  /** What the console got since the last time. */
  takeLog() {
    return this.page.log.splice(0);
  }

  /** A fresh page with the panel open, and the library there. `hash` is what else the address says. */
  async open(hash = `#${this.panel}`) {
    await this.visit(hash);
    await this.ready();
  }

  /** What a page does that may have the microphone of these browsers, which beeps, without asking. Firefox's profile says so. */
  async withMicrophone(action) {
    if (this.engine !== 'chromium') return action();
    const context = this.native.browserContext();
    await context.overridePermissions(new URL(this.url).origin, ['microphone']);
    try {
      return await action();
    } finally {
      await context.clearPermissionOverrides();
    }
  }

  /** The page anew, from the address that it wrote itself, which it does at the latest when it is left. */
  async reload() {
    await this.look(`dispatchEvent(new Event('pagehide'))`);
    await this.open(await this.look('location.hash'));
  }

  /** Loads the page anew and waits until the panel is built, whatever comes of the library. */
  async visit(hash = `#${this.panel}`) {
    // Without isolation headers a service worker would isolate the page; `single` keeps it off.
    const single = this.isolated ? '' : '&single';
    const address = new URL(`?visit=${++visits}${single}${hash}`, this.url).href;
    if (this.native) {
      await this.native.goto(address);
    } else {
      await this.look(`void setTimeout(() => location.assign('${address}'))`);
      await this.until(
        `location.href.startsWith('${address.replace(/#.*/, '')}') && document.querySelector('#pill')`,
        address,
      );
    }
    await this.until(`document.querySelector('.panel:not([hidden]) .panel-body[data-state]')`, 'the panel');
  }

  async ready() {
    await this.until(`document.querySelector('#pill').dataset.state !== 'loading'`, 'the library');
  }

  /** The value of an expression in the page. */
  look(expression) {
    return this.page.evaluate(`(() => (${expression}))()`);
  }

  /** Waits for a condition, also while the page is loaded anew, when there is nothing to ask. */
  async until(condition, what) {
    const end = Date.now() + kReadyLimit;
    let trouble = null;
    const holds = () =>
      this.look(`Boolean(${condition})`).catch((error) => {
        trouble = error;
      });
    while (!(await holds())) {
      expect(Date.now() < end, `${what} did not come${trouble ? ` (${trouble.message})` : ''}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** An edit is on screen one frame later. */
  async settle() {
    await this.page.evaluate(
      'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))',
    );
  }

  text(selector) {
    return this.look(`document.querySelector('${selector}').textContent.trim().replace(/\\s+/g, ' ')`);
  }

  value(id) {
    return this.look(`document.querySelector('#${id}').value`);
  }

  /** Types into a field in place of what is there. */
  async type(id, text) {
    await this.page.hands.type(`#${id}`, String(text));
    await this.settle();
  }

  async choose(id, value) {
    await this.page.hands.select(`#${id}`, value);
    await this.settle();
  }

  async click(selector) {
    await this.page.hands.click(selector);
    await this.settle();
  }

  async set(fields) {
    for (const [id, value] of Object.entries(fields)) {
      const isSelect = await this.look(`document.querySelector('#${id}').matches('select')`);
      await (isSelect ? this.choose(id, value) : this.type(id, value));
    }
  }

  /** The sentence on what is wrong and the field that it is at, or null. */
  problem() {
    return this.look(`(() => {
      const field = document.querySelector('[aria-invalid=true]');
      return field && [field.id, document.getElementById(field.getAttribute('aria-describedby')).textContent];
    })()`);
  }

  box(selector) {
    return this.look(`(({ left, top, width, height }) => ({ left, top, width, height }))(
      document.querySelector('${selector}').getBoundingClientRect())`);
  }

  async show(selector) {
    await this.look(`document.querySelector('${selector}').scrollIntoView({ block: 'center' })`);
    await this.settle();
  }

  /** How many pixels of a plot's canvas have about the colour of a CSS variable. */
  painted(plot, variable) {
    return this.look(`(() => {
      const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('${variable}').trim();
      probe.fillRect(0, 0, 1, 1);
      const wanted = probe.getImageData(0, 0, 1, 1).data;
      const canvas = document.querySelector('#${plot} canvas');
      const copy = Object.assign(document.createElement('canvas'), { width: canvas.width, height: canvas.height });
      const context = copy.getContext('2d', { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, copy.width, copy.height);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) {
        const near = (c) => Math.abs(data[i + c] - wanted[c]) < 24;
        if (data[i + 3] > 200 && near(0) && near(1) && near(2)) ++count;
      }
      return count;
    })()`);
  }
}

/** 'same' padding: ceil(length / stride) outputs, the odd sample on the right. */
export function same(length, taps, stride = 1, dilation = 1) {
  const total = Math.max(0, (Math.ceil(length / stride) - 1) * stride + dilation * (taps - 1) + 1 - length);
  return { left: Math.floor(total / 2), right: Math.ceil(total / 2) };
}

/** The values that a select offers. */
export const selectOptions = (demo, id) =>
  demo.look(`Array.from(document.querySelectorAll('#${id} option'), (o) => o.value)`);
