// What if: two machines against each other with the figures and the sentences of the command line, controls, links, mistakes, cancel.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { createResolver, createTextTraceReader, createTraceFile } from '../dist/trace/index.js';
import { tableRows } from './caches.mjs';

const BOOT = 'truth/traces/boot-find-public.txt.gz';
const BOOT_SNAPSHOTS = 'truth/traces/boot-find-public.snapshots.json.gz';

const sideB = (page) => page.getByRole('region', { name: /^B / });

async function openBoot({ goto, drop, view, page }) {
  await goto();
  await drop(BOOT, BOOT_SNAPSHOTS);
  await view('What if');
  await sideB(page).waitFor();
}

/** As a person does it: the text of a side, and Enter. */
async function set(page, name, text) {
  const field = page
    .getByRole('region', { name: new RegExp(`^${name} `) })
    .getByLabel('Settings, as --set takes them');
  await field.fill(text);
  await field.press('Enter');
}

/** Waits until what is shown belongs to these settings of B. */
async function done(page, settings) {
  await page.waitForFunction((text) => {
    const report = document.querySelector('.report');
    const name = document.querySelector('tr[data-side=B] .mono')?.textContent;
    return report !== null && !report.classList.contains('is-old') && name === text;
  }, settings);
}

const sentences = (page) =>
  page.getByRole('list', { name: 'What it comes to' }).getByRole('listitem').allTextContents();

/** What the page shows against two results of `replay --json`. */
async function holdAgainst({ page, equal }, [a, b]) {
  equal(await sentences(page), b.words);
  for (const [side, result] of Object.entries({ A: a, B: b })) {
    const figure = async (column) =>
      Number(
        await page.locator(`tr[data-side=${side}] td[data-column=${column}]`).getAttribute('data-value'),
      );
    equal(await figure('peak'), result.peak.bytes);
    equal(await figure('end'), result.end.bytes);
    equal(await figure('requested'), result.end.requestedBytes);
    equal(await figure('recoverable'), result.recoverableBytes);
    equal(await figure('empty'), result.emptyBytes);
  }
  await page.getByLabel('all', { exact: true }).check();
  const rows = await tableRows(page.getByRole('grid', { name: 'Caches of A and B' }));
  const of = (result, name) => result.caches.find((cache) => cache.name === name);
  equal(new Set(rows.map(({ key }) => key)), new Set([...a.caches, ...b.caches].map(({ name }) => name)));
  for (const { key, peakA, peakB, endA, endB } of rows) {
    const [one, other] = [of(a, key), of(b, key)];
    const told = [one?.peakBytes, other?.peakBytes, one?.bytes, other?.bytes].map((bytes) => bytes ?? 0);
    equal([peakA, peakB, endA, endB].map(Number), told, key);
  }
  for (const { name, managedBytes, peakTakenBytes, takenBytes } of a.zones) {
    const other = b.zones.find((zone) => zone.name === name);
    const cells = page.locator(`tr[data-zone=${name}] td`);
    const shown = await cells.evaluateAll((all) => all.map(({ dataset }) => Number(dataset.value)));
    equal(shown, [managedBytes, peakTakenBytes, other.peakTakenBytes, takenBytes, other.takenBytes], name);
  }
}

/** A trace long enough to be cancelled in the middle: the recorded boot over and over, as a .slt. */
function longTrace(root, times) {
  const text = gunzipSync(readFileSync(join(root, BOOT)));
  const folder = mkdtempSync(join(tmpdir(), 'slablab-page-'));
  const parts = [];
  const writer = createTraceFile((bytes) => parts.push(Buffer.from(bytes)));
  const resolver = createResolver({ chunk: (chunk) => writer.chunk(chunk) });
  let read;
  for (let i = 0; i < times; i++) {
    const reader = createTextTraceReader('ftrace', 'long.txt', resolver);
    reader.write(text);
    read = reader.end();
  }
  writer.finish(resolver.finish(), { file: 'long.txt', read });
  const path = join(folder, 'long.slt');
  writeFileSync(path, Buffer.concat(parts));
  return { path: relative(root, path), remove: () => rmSync(folder, { recursive: true }) };
}

export default function (test) {
  test('what if: a struct that grew, with the figures and the sentences of the command line', async (t) => {
    const { page, cli } = t;
    await openBoot(t);
    await set(page, 'B', 'dentry.size=200');
    await done(page, 'dentry.size=200');
    const { results } = await cli('replay', BOOT, '--snapshots', BOOT_SNAPSHOTS, '--set', 'dentry.size=200');
    await holdAgainst(t, results);
    await t.shots('whatif');
    await t.axe('whatif');
  });

  test('what if: two other machines, a strategy for one cache, both in the address', async (t) => {
    const { page, cli, equal } = t;
    await openBoot(t);
    const b = 'page_size=64K filp.strategy=page_frag-4k';
    await page.waitForTimeout(400);
    await page.evaluate((text) => {
      location.hash = `#whatif?vs=allocator%3Dslab&set=${encodeURIComponent(text)}`;
    }, b);
    await done(page, b);
    const { results } = await cli(
      ...['replay', BOOT, '--snapshots', BOOT_SNAPSHOTS, '--vs', 'allocator=slab', '--set', b],
    );
    await holdAgainst(t, results);
    const control = (side, name) => page.locator(`[data-side=${side}] [name='${name}']`);
    equal(await control('A', 'allocator').inputValue(), 'slab');
    equal(await control('B', 'page_size').inputValue(), '64K');
    equal(await control('B', 'filp.strategy').inputValue(), 'page_frag-4k');
    await page.evaluate(() => document.querySelector('.curves').scrollIntoView());
    await t.shots('whatif-both');
  });

  test('what if: controls write the text, and the text sets the controls', async (t) => {
    const { page, equal } = t;
    await openBoot(t);
    const b = sideB(page);
    const text = b.getByLabel('Settings, as --set takes them');
    await b.locator('[name=allocator]').selectOption('slub');
    await b.locator('[name=slub_max_order]').fill('1');
    await b.locator('[name=slub_max_order]').press('Enter');
    await b.locator('[name=slab_nomerge]').selectOption('1');
    equal(await text.inputValue(), 'allocator=slub slub_max_order=1 slab_nomerge');
    await b.getByLabel('A cache to change').fill('dentry');
    await b.getByRole('button', { name: 'Change a cache' }).click();
    await b.locator("[name='dentry.size']").fill('256');
    await b.locator("[name='dentry.size']").press('Enter');
    await b.locator("[name='dentry.flags+']").fill('HWCACHE_ALIGN');
    // What is typed outlives what the page draws meanwhile.
    await done(page, 'allocator=slub slub_max_order=1 slab_nomerge dentry.size=256');
    await b.locator("[name='dentry.flags+']").press('Enter');
    const all = 'allocator=slub slub_max_order=1 slab_nomerge dentry.size=256 dentry.flags+=HWCACHE_ALIGN';
    equal(await text.inputValue(), all);
    await done(page, all);
    await page.waitForFunction(
      (set) => new URLSearchParams(location.hash.split('?')[1]).get('set') === set,
      all,
    );
    await b.getByRole('button', { name: 'Leave dentry as recorded' }).click();
    equal(await text.inputValue(), 'allocator=slub slub_max_order=1 slab_nomerge');
    await b.locator('[name=slab_nomerge]').selectOption({ label: 'as recorded' });
    await done(page, 'allocator=slub slub_max_order=1');
    // What was tried before is there at once.
    await b.getByRole('button', { name: 'as recorded' }).click();
    await page.getByText('on another machine?').waitFor();
  });

  test('what if: mistakes are told where they were made', async (t) => {
    const { page, equal } = t;
    await openBoot(t);
    const alert = sideB(page).getByRole('alert');
    const field = sideB(page).getByLabel('Settings, as --set takes them');
    await field.fill('slub_max_ordr=0');
    equal(
      await alert.textContent(),
      "no setting is called 'slub_max_ordr'; did you mean 'slub_max_order' or 'slub_min_order'?",
    );
    equal(await field.getAttribute('aria-invalid'), 'true');
    await set(page, 'B', 'dentri.size=200');
    await alert.getByText("did you mean 'dentry'?").waitFor();
    await set(page, 'B', 'kmalloc-64.size=80');
    await alert.getByText("kmalloc's sizes are the kernel's").waitFor();
    await set(page, 'B', 'slub_max_order=0');
    await done(page, 'slub_max_order=0');
    await alert.waitFor({ state: 'hidden' });
  });

  test('what if: both sides run at once, each in a worker of its own, and can be cancelled', async (t) => {
    const { page, goto, choose, opened, view, root, equal } = t;
    const long = longTrace(root, 10);
    try {
      await goto();
      await choose(long.path);
      await opened('long.slt');
      await view('What if');
      await set(page, 'A', 'cpus=2');
      await set(page, 'B', 'slub_max_order=0');
      const progress = page.locator('.progresses progress');
      await page.waitForFunction(() => document.querySelectorAll('.progresses progress').length === 2);
      equal(await progress.count(), 2);
      t.assert.ok(page.workers().length >= 3, `${page.workers().length} workers`);
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.getByText('cancelled').first().waitFor();
      equal(await page.locator('.report').count(), 0);
      await page.getByRole('button', { name: 'Compare' }).click();
      await done(page, 'slub_max_order=0');
      t.assert.match((await sentences(page))[0], /^slub_max_order=0 holds .* than cpus=2/);
    } finally {
      long.remove();
    }
  });

  test('what if: from a cache in the table, and by keyboard alone', async (t) => {
    const { page, equal } = t;
    await t.goto('#caches');
    await t.drop(BOOT, BOOT_SNAPSHOTS);
    await page.waitForTimeout(400);
    await page.evaluate(() => {
      location.hash = '#caches?cache=dentry';
    });
    await page.getByRole('link', { name: 'it grew by 8 bytes' }).press('Enter');
    await done(page, 'dentry.size=200');
    await page.getByRole('slider', { name: /curves are read/ }).focus();
    const reading = page.locator('.reading');
    const atEnd = await reading.textContent();
    await page.keyboard.press('ArrowLeft');
    await page.waitForFunction((was) => document.querySelector('.reading').textContent !== was, atEnd);
    t.assert.match(await reading.textContent(), /^event [\d,]+: A .* B .*$/);
    await page.getByLabel('Bytes over the events, of').selectOption({ label: 'dentry' });
    t.assert.match(await reading.textContent(), /more$/);
    equal(await page.locator('.chart .curve').count(), 2);
  });

  test('what if: zoomed in, the curves come from the workers, finer than a result has them', async (t) => {
    const { page, equal, assert } = t;
    await openBoot(t);
    await set(page, 'B', 'dentry.size=256');
    await done(page, 'dentry.size=256');
    const steps = (side) =>
      page.locator(`.curve.side-${side}`).evaluate((path) => path.getAttribute('d').split('H').length - 1);
    const plot = page.getByRole('slider', { name: /curves are read/ });
    const { x, y, width, height } = await plot.boundingBox();
    await page.mouse.move(x + width * 0.25, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width * 0.252, y + height / 2);
    await page.mouse.move(x + width * 0.26, y + height / 2);
    await page.mouse.up();
    await page.keyboard.press('f');
    await page.waitForFunction(() => location.hash.includes('zoom=') && location.hash.includes('range='));
    await page.waitForFunction(() =>
      ['a', 'b'].every(
        (side) => document.querySelector(`.curve.side-${side}`).getAttribute('d').split('H').length > 300,
      ),
    );
    assert.ok((await steps('b')) > 300);
    await page.evaluate(() => document.querySelector('.curves').scrollIntoView());
    await t.shots('whatif-zoomed');
    await page.keyboard.press('s');
    await page.keyboard.press('w');
    await page.getByRole('button', { name: 'all events' }).click();
    await page.waitForFunction(() => !location.hash.includes('zoom='));
    equal(await page.getByRole('button', { name: 'all events' }).count(), 0);
  });
}
