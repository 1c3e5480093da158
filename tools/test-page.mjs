// Tests of the page in a real browser: `npm run test:page` builds it and runs this.
//
//     node tools/test-page.mjs                       every file of tests-page/
//     node tools/test-page.mjs memory caches         files whose name holds one of these
//     node tools/test-page.mjs --grep offline        tests whose name matches the pattern (a regular expression)
//     node tools/test-page.mjs --page /tmp/page      a page that was built elsewhere (npx vite build --outDir /tmp/page)
//
// A file of tests-page/ exports a function that is given `test`; each test is given what harness.mjs has: a browser page of its own, on a
// plain static server. A console error fails a test whatever else it finds. Screenshots are for a person to look at: tests-page/shots/.
// The browser is Debian's Chromium; where there is none the tests are skipped, and counted as that.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { openTest, serveStatic } from '../tests-page/harness.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TESTS = join(ROOT, 'tests-page');
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const TIMEOUT_MS = 120_000;

const colour = process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
const paint = (code) => (text) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
const [red, green, yellow, dim] = [paint(31), paint(32), paint(33), paint(2)];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    grep: { type: 'string', default: '' },
    page: { type: 'string', default: join(ROOT, 'dist/page') },
  },
});

/** The tests of all files, in the order in which they are written. */
async function findTests() {
  const files = readdirSync(TESTS).filter((name) => name.endsWith('.mjs') && name !== 'harness.mjs');
  const asked = files.filter(
    (name) => positionals.length === 0 || positionals.some((part) => name.includes(part)),
  );
  const found = [];
  for (const file of asked.sort()) {
    const { default: declare } = await import(pathToFileURL(join(TESTS, file)).href);
    declare((name, run, options = {}) => found.push({ file, name, run, ...options }));
  }
  return found.filter(({ name }) => new RegExp(values.grep).test(name));
}

/** Where the browser is. In CI it is fetched where that can be done. */
function findBrowser() {
  const there = () =>
    [process.env.CHROMIUM ?? '', ...BROWSERS].find((path) => path !== '' && existsSync(path));
  if (there() === undefined && process.env.CI && process.getuid?.() === 0) {
    try {
      execFileSync('apt-get', ['update', '-q'], { stdio: 'ignore' });
      execFileSync('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium'], {
        stdio: 'ignore',
      });
    } catch (error) {
      process.stdout.write(`apt-get could not install chromium: ${error.message}\n`);
    }
  }
  return there();
}

async function runTest(browser, origin, { name, run, allowErrors = () => false }) {
  const began = performance.now();
  const test = await openTest({ browser, origin, root: ROOT });
  let timer;
  let error;
  try {
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done in ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
    });
    await Promise.race([run(test), late]);
    const errors = test.errors.filter((each) => !allowErrors(each));
    if (errors.length > 0) throw new Error(`the browser's console says:\n${errors.join('\n')}`);
  } catch (thrown) {
    error = thrown;
    await test.page.screenshot({ path: join(TESTS, 'shots', 'failed.png') }).catch(() => {});
  }
  clearTimeout(timer);
  await test.close();
  const seconds = dim(`${((performance.now() - began) / 1000).toFixed(1)} s`);
  process.stdout.write(`${error ? red('✗') : green('✓')} ${name}  ${seconds}\n`);
  for (const line of test.said) process.stdout.write(`    ${line}\n`);
  if (error) {
    const text = String(error.stack ?? error).replaceAll(pathToFileURL(ROOT).href, '');
    const console = test.errors.length > 0 && !text.includes('console says') ? test.errors : [];
    for (const line of [text, ...console].join('\n').split('\n').slice(0, 40))
      process.stdout.write(`      ${line}\n`);
  }
  return error === undefined;
}

const tests = await findTests();
const browserPath = findBrowser();
if (!existsSync(join(values.page, 'index.html'))) {
  process.stdout.write(`there is no page in ${values.page}: npm run build:page builds it\n`);
  process.exitCode = 1;
} else if (browserPath === undefined) {
  process.stdout.write(
    yellow(
      `no Chromium here (${BROWSERS[0]}, or CHROMIUM=…): ${tests.length} tests of the page were skipped\n`,
    ),
  );
  process.stdout.write(`0 passed, 0 failed, ${tests.length} skipped\n`);
} else {
  mkdirSync(join(TESTS, 'shots'), { recursive: true });
  const server = await serveStatic(values.page);
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
  let passed = 0;
  let file = '';
  for (const test of tests) {
    if (test.file !== file) process.stdout.write(`${dim(`tests-page/${test.file}`)}\n`);
    file = test.file;
    if (await runTest(browser, server.origin, test)) passed++;
  }
  await browser.close();
  await server.close();
  process.stdout.write(`${passed} passed, ${tests.length - passed} failed\n`);
  process.exitCode = passed < tests.length || tests.length === 0 ? 1 : 0;
}
