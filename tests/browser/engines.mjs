// Three browser engines behind one face. Each function starts a browser with a fresh profile and gives an Engine, or null
// where the engine is not installed (an error when CI=true).

import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import puppeteer from 'puppeteer-core';

/**
 * @typedef {object} Page
 * @property {(expression: string) => Promise<unknown>} evaluate  the value of a JSON-like expression
 * @property {(size: { width: number, height: number }) => Promise<void>} resize  of the viewport, in CSS pixels
 * @property {(file: string) => Promise<void>} screenshot  writes a PNG of the viewport
 * @property {string[]} log  what the page wrote to the console as errors, where the driver tells
 * @property {Hands} hands
 * @property {() => Promise<void>} close
 *
 * @typedef {object} Hands  what a person does to the elements that selectors name, by real mouse and keyboard
 * @property {(selector: string) => Promise<void>} click
 * @property {(selector: string, text: string) => Promise<void>} type  in place of what is there
 * @property {(selector: string, value: string) => Promise<void>} select
 *
 * @typedef {object} Engine
 * @property {string} name
 * @property {string} version
 * @property {(url: string) => Promise<Page>} open
 * @property {(url: string) => Promise<any>} run  opens a page, waits for its `window.__result`; throws its `error`
 * @property {(url: string, file: string, options: { width: number, height: number, ready?: string }) => Promise<void>}
 *   screenshot  `ready` is an expression that turns true when the picture may be taken
 * @property {(folder: string) => Promise<string>} [installExtension]  an unpacked one; gives its id. In Chromium alone
 * @property {() => Promise<void>} close
 */

const isRoot = process.getuid?.() === 0;

// Limits that end a hung browser. They say nothing about speed: each is many times what a slow machine needs.
const kStartLimit = 120_000;
const kCallLimit = 120_000; // one navigation, one evaluate: also how long a page may block its main thread
const kProgressLimit = 180_000; // how long `window.__progress` may stay the same
const kStopLimit = 10_000;

/** @returns {Promise<Engine | null>} */
export async function chromium({ flags = [] } = {}) {
  const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
  const program = findProgram('CHROMIUM', names);
  if (!program) return missing('chromium', `none of ${names.join(', ')} is on PATH`, 'chromium');
  const profile = temporaryFolder('chromium');
  return launchPuppeteer('chromium', profile, {
    browser: 'chrome',
    executablePath: program,
    userDataDir: profile.path,
    pipe: true, // without it no extension is let in
    enableExtensions: true,
    env: homeIn(profile),
    args: [
      ...(isRoot ? ['--no-sandbox'] : []), // Chromium refuses to start its sandbox as root
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--use-fake-device-for-media-stream', // a microphone, whatever the machine has
      ...flags,
    ],
  });
}

/** @returns {Promise<Engine | null>} */
export async function firefox() {
  const names = ['firefox-esr', 'firefox'];
  const program = findProgram('FIREFOX', names);
  if (!program) return missing('firefox', `none of ${names.join(', ')} is on PATH`, 'firefox-esr');
  const profile = temporaryFolder('firefox');
  return launchPuppeteer('firefox', profile, {
    browser: 'firefox',
    executablePath: program,
    userDataDir: profile.path,
    env: homeIn(profile),
    // a microphone here, too, and nobody to ask for it
    extraPrefsFirefox: { 'media.navigator.streams.fake': true, 'media.navigator.permission.disabled': true },
  });
}

/** @returns {Promise<Engine | null>} */
export async function webkit() {
  const driver = findProgram('WEBKIT_DRIVER', ['WebKitWebDriver']);
  if (!driver) return missing('webkit', 'WebKitWebDriver is not on PATH', 'webkit2gtk-driver');
  const browser = findMiniBrowser();
  if (!browser) return missing('webkit', 'no MiniBrowser in the webkit2gtk-4.1 library folder', 'webkit2gtk-driver');
  const xvfb = findProgram('XVFB', ['Xvfb']);
  if (!xvfb) return missing('webkit', 'Xvfb is not on PATH', 'xvfb');

  const profile = temporaryFolder('webkit');
  const processes = [];
  const stop = async () => {
    for (const child of processes.toReversed()) await stopGroup(child);
    profile.remove();
  };
  try {
    const { child: display, name } = await startDisplay(xvfb);
    processes.push(display);
    const port = await freePort();
    const child = startGroup(driver, [`--port=${port}`], {
      ...homeIn(profile),
      GDK_BACKEND: 'x11',
      DISPLAY: name,
      GSETTINGS_BACKEND: 'memory',
      NO_AT_BRIDGE: '1',
      // WebKit's sandbox needs user namespaces, which root in a container rarely has
      ...(isRoot ? { WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1' } : {}),
    });
    processes.push(child);
    const session = await startSession(child, port, {
      'webkitgtk:browserOptions': { binary: browser, args: ['--automation'] },
    });
    return engine({
      name: 'webkit',
      version: `WebKitGTK ${session.capabilities.browserVersion}`,
      open: (url) => openWebDriver(session, url),
      stop: async () => {
        await withLimit(session.call('DELETE', ''), kStopLimit, 'closing the session').catch(() => {});
        await stop();
      },
    });
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Every engine, by name. */
export const engines = { chromium, firefox, webkit };

// ---- what the engines share

/** Builds an Engine from a way to open a page and a way to stop the browser. */
function engine({ name, version, open, stop, ...more }) {
  const openWithLimit = (url) => withLimit(open(url), kCallLimit, `${name}: opening ${url}`);
  return {
    ...more,
    name,
    version,
    open: openWithLimit,
    async run(url) {
      const page = await openWithLimit(url);
      const text = await poll(
        name,
        page,
        'window.__result === undefined ? undefined : JSON.stringify(window.__result)',
      );
      await withLimit(page.close(), kStopLimit, `${name}: closing ${url}`);
      const result = JSON.parse(text);
      if (result.error) throw new Error(`${result.error}${tail(page.log)}`);
      return result;
    },
    async screenshot(url, file, { width, height, ready = "document.readyState === 'complete'" }) {
      const page = await openWithLimit(url);
      await page.resize({ width, height });
      await poll(name, page, `(${ready}) || undefined`);
      await withLimit(page.screenshot(file), kCallLimit, `${name}: taking a picture of ${url}`);
      await withLimit(page.close(), kStopLimit, `${name}: closing ${url}`);
    },
    close: stop,
  };
}

/** Waits until an expression has a value. A page that stops moving `window.__progress` has hung. */
async function poll(name, page, expression) {
  let last = null;
  let lastChange = Date.now();
  for (;;) {
    const where = last === null ? '' : ` after "${last}"`;
    // a list, as what an undefined value becomes differs between drivers
    const [value, progress] = await withLimit(
      page.evaluate(`[(${expression}) ?? null, window.__progress ?? null]`),
      kCallLimit,
      `${name}: the page's main thread${where}`,
      page.log,
    );
    if (value !== null) return value;
    if (progress !== last) {
      last = progress;
      lastChange = Date.now();
    } else if (Date.now() - lastChange > kProgressLimit) {
      throw new Error(`${name}: the page made no progress${where} in ${kProgressLimit / 1000} s${tail(page.log)}`);
    }
    await sleep(100);
  }
}

function missing(name, reason, debianPackage) {
  const text = `${name}: ${reason} (Debian package: ${debianPackage})`;
  if (process.env.CI === 'true') throw new Error(text);
  console.log(`${text}; skipped`);
  return null;
}

function findProgram(variable, names) {
  if (process.env[variable]) return process.env[variable];
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
      const file = path.join(folder, name);
      if (isProgram(file)) return file;
    }
  }
  return undefined;
}

function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function withLimit(promise, milliseconds, what, log = []) {
  const timer = new AbortController();
  const limit = sleep(milliseconds, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`${what} did not answer in ${milliseconds / 1000} s${tail(log)}`);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    limit.catch(() => {}); // the abort below rejects it
    timer.abort();
  }
}

function tail(lines) {
  return lines.length ? `:\n${lines.slice(-10).join('\n')}` : '';
}

// ---- processes and folders, all gone when this process ends, however it ends

const cleanUps = new Set();

function atExit(cleanUp) {
  if (cleanUps.size === 0 && !atExit.installed) {
    atExit.installed = true;
    process.on('exit', () => [...cleanUps].reverse().forEach((f) => f())); // processes before their folders
    for (const [signal, number] of [
      ['SIGHUP', 1],
      ['SIGINT', 2],
      ['SIGTERM', 15],
    ]) {
      process.once(signal, () => process.exit(128 + number));
    }
  }
  cleanUps.add(cleanUp);
  return () => cleanUps.delete(cleanUp);
}

function temporaryFolder(name) {
  const folder = mkdtempSync(path.join(tmpdir(), `conv1d-${name}-`));
  const removeNow = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  const forget = atExit(() => {
    try {
      removeNow();
    } catch {
      // a dying browser may still write there; it is a temporary folder
    }
  });
  return {
    path: folder,
    remove() {
      removeNow();
      forget();
    },
  };
}

/** An environment whose home is a temporary folder: caches, crash reports and sockets go there whatever the profile is. */
function homeIn({ path: HOME }) {
  const home = { HOME, TMPDIR: HOME };
  for (const [variable, folder] of [
    ['XDG_CACHE_HOME', 'cache'],
    ['XDG_CONFIG_HOME', 'config'],
    ['XDG_DATA_HOME', 'data'],
  ]) {
    home[variable] = path.join(HOME, folder);
  }
  return { ...process.env, ...home };
}

/** Starts a program as the leader of a process group, so that whatever it starts can be ended with it. */
function startGroup(program, args, env, extraPipes = 0) {
  const stdio = ['ignore', 'ignore', 'pipe', ...Array(extraPipes).fill('pipe')];
  const child = spawn(program, args, { env, stdio, detached: true });
  child.log = [];
  child.stderr.setEncoding('utf8').on('data', (text) => child.log.push(...text.trimEnd().split('\n')));
  child.ended = new Promise((resolve) => {
    child.once('exit', resolve);
    child.once('error', (error) => {
      child.log.push(error.message);
      resolve();
    });
  });
  child.forget = atExit(() => killGroup(child.pid));
  return child;
}

function killGroup(id, signal = 'SIGKILL') {
  try {
    process.kill(-id, signal);
  } catch {
    // ended already
  }
}

async function stopGroup(child) {
  killGroup(child.pid, 'SIGTERM');
  await withLimit(child.ended, kStopLimit, 'ending').catch(() => {});
  killGroup(child.pid);
  child.forget();
}

// ---- Chromium and Firefox, through puppeteer

async function launchPuppeteer(name, profile, options) {
  let browser;
  try {
    browser = await puppeteer.launch({
      headless: true,
      timeout: kStartLimit,
      protocolTimeout: 0, // the limits here are this file's own
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
      defaultViewport: { width: 1280, height: 900 },
      ...options,
    });
  } catch (error) {
    profile.remove();
    throw error;
  }
  const { pid } = browser.process(); // puppeteer, too, makes it the leader of a group
  const forget = atExit(() => killGroup(pid));
  const installExtension = (folder) => withLimit(browser.installExtension(folder), kCallLimit, `installing ${folder}`);
  return engine({
    ...(name === 'chromium' && { installExtension }),
    name,
    version: await browser.version(),
    open: (url) => openPuppeteer(browser, url),
    async stop() {
      await withLimit(browser.close(), kStopLimit, 'closing').catch(() => {});
      killGroup(pid);
      forget();
      profile.remove();
    },
  });
}

/** @returns {Promise<Page>} */
async function openPuppeteer(browser, url) {
  const page = await browser.newPage();
  const log = [];
  page.on('console', (message) => message.type() === 'error' && log.push(message.text()));
  page.on('pageerror', (error) => log.push(String(error)));
  page.on('response', (response) => response.status() >= 400 && log.push(`${response.url()}: ${response.status()}`));
  page.on('requestfailed', (request) => {
    const { errorText } = request.failure() ?? {};
    // A page that is left gives up what it was loading, which is nobody's fault.
    if (errorText !== 'NS_BINDING_ABORTED' && errorText !== 'net::ERR_ABORTED')
      log.push(`${request.url()}: ${errorText}`);
  });
  await page.goto(url, { timeout: 0 });
  return {
    native: page, // puppeteer's own page, for what hands cannot do
    hands: {
      click: (selector) => page.click(selector),
      async type(selector, text) {
        await page.focus(selector);
        await page.keyboard.down('Control');
        await page.keyboard.press('a');
        await page.keyboard.up('Control');
        await page.keyboard.press('Delete');
        await page.keyboard.type(text);
      },
      select: (selector, value) => page.select(selector, value),
    },
    evaluate: (expression) => page.evaluate(expression),
    resize: (size) => page.setViewport(size),
    screenshot: (file) => page.screenshot({ path: file }),
    log,
    close: () => page.close(),
  };
}

// ---- WebKitGTK, through the W3C WebDriver protocol

async function startDisplay(program) {
  // the X server picks a free display and writes its number to the descriptor
  const args = ['-displayfd', '3', '-screen', '0', '2560x2560x24', '-nolisten', 'tcp'];
  const child = startGroup(program, args, process.env, 1);
  const number = new Promise((resolve, reject) => {
    let text = '';
    child.stdio[3].setEncoding('utf8').on('data', (part) => {
      text += part;
      if (text.endsWith('\n')) resolve(text.trim());
    });
    child.ended.then(() => reject(new Error(`Xvfb ended${tail(child.log)}`)));
  });
  try {
    return { child, name: `:${await withLimit(number, kStartLimit, 'Xvfb', child.log)}` };
  } catch (error) {
    await stopGroup(child);
    throw error;
  }
}

/** WebKitWebDriver cannot tell which port it got, so it is given one that was free a moment ago. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** The browser lies beside its library, off PATH: /usr/lib/x86_64-linux-gnu/webkit2gtk-4.1 on Debian. */
function findMiniBrowser() {
  if (process.env.MINIBROWSER) return process.env.MINIBROWSER;
  for (const parent of ['/usr/lib', '/usr/libexec', ...subfolders('/usr/lib')]) {
    const file = path.join(parent, 'webkit2gtk-4.1', 'MiniBrowser');
    if (isProgram(file)) return file;
  }
  return undefined;
}

function subfolders(folder) {
  const entries = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  return entries.filter((entry) => entry.isDirectory()).map((entry) => path.join(folder, entry.name));
}

async function startSession(child, port, capabilities) {
  const driverUrl = `http://127.0.0.1:${port}`;
  const until = Date.now() + kStartLimit;
  while (!(await isListening(driverUrl))) {
    if (child.exitCode !== null || Date.now() > until)
      throw new Error(`WebKitWebDriver did not start${tail(child.log)}`);
    await sleep(50);
  }
  const request = webDriverCall('POST', `${driverUrl}/session`, { capabilities: { alwaysMatch: capabilities } });
  const answer = await withLimit(request, kStartLimit, 'webkit: starting the browser', child.log);
  const url = `${driverUrl}/session/${answer.sessionId}`;
  const call = (method, command, body) => webDriverCall(method, url + command, body);
  // the limits are this file's own
  await call('POST', '/timeouts', { script: 2 * kCallLimit, pageLoad: 2 * kCallLimit });
  return { capabilities: answer.capabilities, call };
}

async function isListening(url) {
  try {
    return (await fetch(`${url}/status`)).ok;
  } catch {
    return false;
  }
}

async function webDriverCall(method, url, body) {
  const response = await fetch(url, { method, body: body && JSON.stringify(body) });
  const { value } = await response.json();
  if (!response.ok) throw new Error(`webkit: ${value.error}: ${value.message}`);
  return value;
}

/** There is one window, and opening a page navigates it. @returns {Promise<Page>} */
async function openWebDriver({ call }, url) {
  await call('POST', '/url', { url });
  const evaluate = (expression) => call('POST', '/execute/sync', { script: `return (${expression});`, args: [] });
  const element = async (selector) => {
    const found = await call('POST', '/element', { using: 'css selector', value: selector });
    return `/element/${Object.values(found)[0]}`;
  };
  const click = async (selector) => call('POST', `${await element(selector)}/click`, {});
  return {
    evaluate,
    async resize({ width, height }) {
      // the rectangle is the window's, its bars included, and its toolbar keeps it about 450 wide at least
      const outer = { width, height };
      let inner;
      for (let attempt = 0; attempt < 3; ++attempt) {
        await call('POST', '/window/rect', outer);
        await sleep(300); // the page hears of it later
        inner = await evaluate('[innerWidth, innerHeight]');
        if (inner[0] === width && inner[1] === height) return;
        outer.width += width - inner[0];
        outer.height += height - inner[1];
      }
      throw new Error(`webkit: the viewport became ${inner.join(' x ')} rather than ${width} x ${height}`);
    },
    async screenshot(file) {
      await writeFile(file, Buffer.from(await call('GET', '/screenshot'), 'base64'));
    },
    hands: {
      click,
      async type(selector, text) {
        const field = await element(selector);
        await call('POST', `${field}/clear`, {});
        if (text) await call('POST', `${field}/value`, { text });
      },
      select: (selector, value) => click(`${selector} option[value='${value}']`),
    },
    log: [],
    close: () => call('POST', '/url', { url: 'about:blank' }),
  };
}
