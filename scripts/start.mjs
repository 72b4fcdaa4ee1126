// npm start: from a fresh clone to a demo page. With --no-serve it ends after the example.
import { build } from './build.mjs';
import { asCommand, inRoot, run, say } from './lib/run.mjs';

async function serve() {
  say('Writing the pages of the API');
  await run(process.execPath, [inRoot('node_modules/typedoc/bin/typedoc'), '--logLevel', 'Warn']);
  const { createServer } = await import('vite');
  const server = await createServer({ root: inRoot('web-demo') });
  await server.listen();
  say('The demo page is served (Ctrl-C ends it):');
  server.printUrls();
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, async () => {
      await server.close();
      process.exit();
    });
  }
}

await asCommand(async () => {
  await build();
  say('Running examples/readme.mjs');
  await run(process.execPath, [inRoot('examples/readme.mjs')]);
  if (!process.argv.includes('--no-serve')) await serve();
});
