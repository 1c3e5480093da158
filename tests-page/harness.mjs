// What every test of the page has:
//
//     export default function (test) {
//       test('the peak is the command line\'s', async ({ page, goto, drop, cli, equal }) => {
//         await goto('#start');
//         await drop('truth/traces/boot-find-public.txt.gz');
//         …
//       });
//     }
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { basename, extname, join, normalize } from 'node:path';
import { promisify } from 'node:util';

export const SIZES = [
  { name: 'wide', width: 1280, height: 720 },
  { name: 'phone', width: 390, height: 844 },
];
export const THEMES = ['light', 'dark'];
const WAIT_MS = 60_000;

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
};

/** A static host as plain as there are: no headers of its own. */
export async function serveStatic(folder) {
  const server = createServer(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname)).replace(
      /^(\.\.[/\\])+/,
      '',
    );
    const file = join(folder, path.endsWith('/') ? `${path}index.html` : path);
    const found = await stat(file).catch(() => undefined);
    if (!found?.isFile()) {
      response.writeHead(404);
      response.end();
      return;
    }
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { 'Content-Type': type, 'Content-Length': found.size });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}/`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A browser page for one test, with what it needs. */
export async function openTest({ browser, origin, root }) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, acceptDownloads: true });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const errors = [];
  const said = [];
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => errors.push(String(error.stack ?? error)));
  const inRoot = (path) => join(root, path);

  const test = {
    page,
    context,
    browser,
    origin,
    root,
    errors,
    said,
    assert,
    equal: assert.deepEqual,
    /** A line of the report, such as a figure that was measured. */
    say: (line) => said.push(line),
    close: () => context.close(),

    /** Opens the page at a hash. */
    async goto(hash = '') {
      await page.goto(`${origin}${hash}`);
      await page.waitForSelector('nav.tabs');
    },

    /** Shows a view by its tab. */
    async view(title) {
      await page
        .getByRole('navigation', { name: 'Views' })
        .getByRole('link', { name: title, exact: true })
        .click();
    },

    /** Opens files as if a person had chosen them; paths from the repository's root. Does not wait until they are open. */
    async choose(...paths) {
      await test.view('Start');
      await page.setInputFiles('input[type=file]', paths.map(inRoot));
    },

    /** Drops files onto the page, and waits until they are open or refused. */
    async drop(...paths) {
      const files = paths.map((path) => ({
        name: basename(path),
        data: readFileSync(inRoot(path)).toString('base64'),
      }));
      const transfer = await page.evaluateHandle((given) => {
        const carried = new DataTransfer();
        for (const { name, data } of given) {
          const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
          carried.items.add(new File([bytes], name));
        }
        return carried;
      }, files);
      await page.dispatchEvent('main', 'drop', { dataTransfer: transfer });
      await test.opened(basename(paths[0]));
    },

    /** Waits until a file is open, or the reason why it is not is told. */
    async opened(name) {
      await page
        .locator('.frame-file', { hasText: name })
        .or(page.locator('.frame-failure'))
        .first()
        .waitFor();
    },

    /** What the command line says of the same, as its `--json`. */
    async cli(...args) {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [inRoot('dist/cli/main.js'), ...args, '--json'],
        { maxBuffer: 1 << 28, cwd: root },
      );
      return JSON.parse(stdout);
    },

    /** Screenshots of what is shown, in both themes and sizes: tests-page/shots/NAME-THEME-SIZE.png. Nothing may reach out sideways. */
    async shots(name) {
      for (const { name: size, ...viewport } of SIZES) {
        await page.setViewportSize(viewport);
        for (const theme of THEMES) {
          await page.emulateMedia({ colorScheme: theme });
          await page.waitForTimeout(150);
          await page.screenshot({ path: inRoot(`tests-page/shots/${name}-${theme}-${size}.png`) });
        }
        const overflow = await page.evaluate(() => {
          const { scrollWidth, clientWidth } = document.querySelector('main');
          return Math.max(scrollWidth - clientWidth, document.documentElement.scrollWidth - innerWidth);
        });
        assert.ok(overflow <= 0, `${name} reaches ${overflow} px out sideways at ${viewport.width} px`);
      }
      await page.setViewportSize({ width: SIZES[0].width, height: SIZES[0].height });
      await page.emulateMedia({ colorScheme: null });
    },

    /** Runs axe-core over what is shown, in both themes: no serious violation, no critical one. */
    async axe(name) {
      const source = readFileSync(inRoot('node_modules/axe-core/axe.min.js'), 'utf8');
      for (const theme of THEMES) {
        await page.emulateMedia({ colorScheme: theme });
        await page.waitForTimeout(100);
        await page.evaluate(source);
        const found = await page.evaluate(async () => {
          const { violations } = await globalThis.axe.run(document);
          return violations.map(({ id, impact, help, nodes }) => ({
            id,
            impact,
            help,
            where: nodes
              .slice(0, 5)
              .map(({ target, failureSummary }) => `${target.join(' ')}: ${failureSummary}`),
          }));
        });
        const serious = found.filter(({ impact }) => impact === 'serious' || impact === 'critical');
        assert.deepEqual(
          serious,
          [],
          `axe finds serious violations in ${name}, ${theme}: ${JSON.stringify(serious, null, 1)}`,
        );
      }
      await page.emulateMedia({ colorScheme: null });
    },

    /** Milliseconds between frames while `each` is called in front of every one of `count`; told as median, 95th percentile and maximum. */
    async frames(name, count, each, argument) {
      const times = await page.evaluate(`(async () => {
        const step = ${each};
        const found = [];
        let before = await new Promise(requestAnimationFrame);
        for (let frame = 0; frame < ${count}; frame++) {
          step(frame, ${JSON.stringify(argument ?? null)});
          const now = await new Promise(requestAnimationFrame);
          found.push(now - before);
          before = now;
        }
        return found;
      })()`);
      const sorted = [...times].sort((a, b) => a - b);
      const at = (share) => sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)];
      const figures = { median: at(0.5), p95: at(0.95), max: sorted.at(-1) };
      const [median, p95, max] = Object.values(figures).map((ms) => ms.toFixed(1));
      test.say(`${name}: a frame takes ${median} ms in the median, ${p95} ms at 95 %, ${max} ms at most`);
      return figures;
    },
  };
  return test;
}
