// Caches: the table against the command line, one cache against what its kernel said, keys, links, snapshots alone.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const BOOT = 'truth/traces/boot-find-public.txt.gz';
const BOOT_SNAPSHOTS = 'truth/traces/boot-find-public.snapshots.json.gz';

/** Every row of a table, though only those in sight are in the document: raw values by column, in the order shown. */
export async function tableRows(table) {
  return table.evaluate(async (element) => {
    const scroller = element.parentElement;
    const found = new Map();
    scroller.scrollTop = 0;
    for (;;) {
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      for (const row of element.querySelectorAll('tbody tr[data-key]')) {
        const cells = [...row.cells].map(({ dataset }) => [dataset.column, dataset.value]);
        found.set(row.getAttribute('aria-rowindex'), { key: row.dataset.key, ...Object.fromEntries(cells) });
      }
      const before = scroller.scrollTop;
      scroller.scrollTop += scroller.clientHeight / 2;
      if (scroller.scrollTop === before) break;
    }
    scroller.scrollTop = 0;
    return [...found].sort(([a], [b]) => a - b).map(([, row]) => row);
  });
}

const table = (page, name) => page.getByRole('grid', { name });

async function openBoot({ goto, drop, view, page }) {
  await goto();
  await drop(BOOT, BOOT_SNAPSHOTS);
  await view('Caches');
  await table(page, 'Caches').waitFor();
}

/** As if a person had followed a link. */
async function follow(page, hash) {
  // What the page is about to write into the address itself comes first.
  await page.waitForTimeout(400);
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
}

export default function (test) {
  test('caches: at the end every cache has the figures of the command line, the largest first', async (t) => {
    const { page, cli, equal } = t;
    await openBoot(t);
    const { results } = await cli('replay', BOOT, '--snapshots', BOOT_SNAPSHOTS);
    const rows = await tableRows(table(page, 'Caches'));
    const figures = ({ bytes, live, objects, slabs, size }) =>
      [bytes, live, objects, slabs, size].map(Number);
    const shown = new Map(rows.map((row) => [row.key, figures(row)]));
    const told = new Map(
      results[0].caches.map((cache) => [cache.name, figures({ ...cache, size: cache.sizeBytes })]),
    );
    equal(new Set(shown.keys()), new Set(told.keys()));
    for (const [name, each] of told) equal(shown.get(name), each, name);
    const bytes = rows.map((row) => Number(row.bytes));
    equal(
      bytes,
      [...bytes].sort((a, b) => b - a),
    );
    t.assert.ok(rows.length > 50, `only ${rows.length} caches`);
    await t.shots('caches');
    await t.axe('caches');
  });

  test('caches: heads sort, the filter narrows, and both are in the address', async (t) => {
    const { page, equal, assert } = t;
    await openBoot(t);
    await page.getByRole('button', { name: 'live' }).click();
    await page.getByRole('searchbox').fill('kmalloc -cg -rcl');
    await page.waitForFunction(() => location.hash.includes('filter=') && location.hash.includes('sort='));
    const rows = await tableRows(table(page, 'Caches'));
    assert.ok(rows.length > 5 && rows.every(({ key }) => /^kmalloc-\d/.test(key)), JSON.stringify(rows));
    const live = rows.map((row) => Number(row.live));
    equal(
      live,
      [...live].sort((a, b) => b - a),
    );
    await page.getByRole('button', { name: 'cache', exact: true }).click();
    const names = (await tableRows(table(page, 'Caches'))).map(({ key }) => key);
    equal(names.slice(0, 4), ['kmalloc-8', 'kmalloc-16', 'kmalloc-32', 'kmalloc-64']);
    equal(await page.locator('th[aria-sort]').getAttribute('aria-sort'), 'ascending');
    await page.getByRole('searchbox').fill('no such cache');
    await page.getByText("No cache has 'no such cache'").waitFor();
  });

  test('caches: one in full has the numbers that its kernel had, and those of the command line', async (t) => {
    const { page, root, cli, equal } = t;
    await openBoot(t);
    await table(page, 'Caches').locator('tr[data-key=dentry]').click();
    const detail = page.getByRole('complementary', { name: 'Cache dentry' });
    await detail.getByText('/sys/kernel/slab/dentry').waitFor();
    const file = (name) => detail.locator(`tr[data-file=${name}] td`).textContent();
    const { snapshots } = JSON.parse(gunzipSync(readFileSync(join(root, BOOT_SNAPSHOTS))));
    const { caches } = snapshots.findLast((each) => each.caches?.dentry !== undefined);
    for (const name of ['object_size', 'slab_size', 'objs_per_slab', 'order', 'align', 'min_partial'])
      equal(Number(await file(name)), Number(caches.dentry[name]), name);
    const fact = (name) => detail.locator(`tr[data-fact='${name}'] td`).first().textContent();
    equal(Number(await fact('slab_size')), Number(caches.dentry.slab_size));

    const [{ caches: told, pins }] = (await cli('replay', BOOT, '--snapshots', BOOT_SNAPSHOTS)).results;
    const { fullness, slabs, allocs } = told.find(({ name }) => name === 'dentry');
    const bars = await detail
      .locator('.histogram li')
      .evaluateAll((all) => all.map(({ dataset }) => Number(dataset.slabs)));
    equal([bars[0], bars.at(-1)], [fullness.empty, fullness.full]);
    equal(
      bars.reduce((sum, count) => sum + count, 0),
      slabs,
    );
    const site = detail.getByRole('row', { name: /^__d_alloc / }).first();
    equal((await site.getByRole('cell').nth(4).textContent()).replaceAll(',', ''), String(allocs));
    const pin = pins.find(({ cache }) => cache === 'dentry');
    const kept = detail.locator('section', { hasText: 'Who keeps slabs' }).getByRole('row').nth(1);
    equal(await kept.getByRole('cell').nth(2).textContent(), String(pin.objects));
    await t.shots('cache');
    await t.axe('cache');
    await page.getByRole('button', { name: /^Close/ }).click();
    await detail.waitFor({ state: 'detached' });
  });

  test('caches: a link leads to a cache at a moment, and the cursor changes every figure', async (t) => {
    const { page, equal, assert } = t;
    await openBoot(t);
    const liveOf = async (cache) =>
      Number((await tableRows(table(page, 'Caches'))).find(({ key }) => key === cache)?.live ?? 0);
    const atEnd = await liveOf('dentry');
    await follow(page, '#caches?cursor=5000&cache=kmalloc-256&filter=dentry&sort=live-desc');
    await page.getByRole('complementary', { name: 'Cache kmalloc-256' }).getByText('One slab').waitFor();
    await page.waitForFunction(() => document.querySelector('tr[data-key=dentry]') !== null);
    assert.ok((await liveOf('dentry')) < atEnd);
    equal(await page.getByRole('searchbox').inputValue(), 'dentry');
    await page.getByRole('button', { name: 'Next event' }).click();
    await page.waitForFunction(() => !location.hash.includes('cursor=5000&'));
  });

  test('caches: of the machine of a what-if, with the letter of CACHE_DMA32', async (t) => {
    const { page, equal, cli } = t;
    await openBoot(t);
    const settings = 'dentry.flags+=CACHE_DMA32';
    await follow(page, `#caches?set=${encodeURIComponent(settings)}`);
    const flags = page.locator('tr[data-key=dentry] td[data-column=flags]');
    equal(await flags.textContent(), 'a');
    await page.getByLabel('machine').selectOption({ label: `what if ${settings}` });
    await page.waitForFunction(
      () => document.querySelector('tr[data-key=dentry] td[data-column=flags]')?.textContent === 'Da',
    );
    equal(await flags.getAttribute('title'), 'D SLAB_CACHE_DMA32, a SLAB_RECLAIM_ACCOUNT');
    const { results } = await cli('replay', BOOT, '--snapshots', BOOT_SNAPSHOTS, '--set', settings);
    const told = results[1].caches.find(({ name }) => name === 'dentry');
    const row = page.locator('tr[data-key=dentry]');
    equal(Number(await row.locator('[data-column=bytes]').getAttribute('data-value')), told.bytes);
    await row.click();
    const detail = page.getByRole('complementary', { name: 'Cache dentry' });
    await detail.locator("tr[data-fact='allocflags']", { hasText: 'DMA32' }).waitFor();
  });

  test('caches: by keyboard alone', async (t) => {
    const { page, goto, drop, equal } = t;
    await goto();
    await drop(BOOT, BOOT_SNAPSHOTS);
    await page.keyboard.press('4');
    await table(page, 'Caches').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('kmalloc -cg -rcl');
    // From the field along the heads to the table.
    for (let i = 0; i < 20; i++) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(() => document.activeElement?.getAttribute('role') === 'grid')) break;
    }
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.locator('.cache-detail .histogram').waitFor();
    const [second] = (await tableRows(table(page, 'Caches'))).slice(-2);
    equal(await page.locator('.cache-detail h2').textContent(), second.key);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.locator('.cache-detail').waitFor({ state: 'detached' });
  });

  test('caches: while the cursor moves frames come one after the other', async (t) => {
    const { page, assert } = t;
    await openBoot(t);
    const figures = await t.frames('caches while the cursor moves', 90, (frame) => {
      const line = document.querySelector('.transport-line');
      const { left, top, width } = line.getBoundingClientRect();
      const at = { clientX: left + (width * (frame + 1)) / 92, clientY: top + 4, pointerId: 1, buttons: 1 };
      line.dispatchEvent(new PointerEvent('pointerdown', { ...at, bubbles: true }));
    });
    assert.ok(figures.median < 100, `${figures.median} ms a frame`);
    await page.waitForTimeout(300);
    assert.ok((await tableRows(table(page, 'Caches'))).length > 50);
  });

  test('caches: snapshots alone are a table too, and without anything the page says what to do', async (t) => {
    const { page, goto, drop, root, equal } = t;
    await goto('#caches');
    await page.getByText('No trace is open').waitFor();
    await drop(BOOT_SNAPSHOTS);
    await page.getByRole('combobox', { name: 'snapshot' }).waitFor();
    const { snapshots } = JSON.parse(gunzipSync(readFileSync(join(root, BOOT_SNAPSHOTS))));
    const [, , ...lines] = snapshots.at(-1).slabinfo.trim().split('\n');
    const told = new Map(
      lines.map((line) => {
        const [name, active, objects, size] = line.split(/\s+/);
        return [name, [active, objects, size].map(Number)];
      }),
    );
    const rows = await tableRows(page.getByRole('grid'));
    equal(rows.length, told.size);
    for (const { key, activeObjs, numObjs, objSize } of rows)
      equal([activeObjs, numObjs, objSize].map(Number), told.get(key), key);
    await t.shots('caches-snapshots');
  });
}
