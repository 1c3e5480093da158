// Memory: the map against the command line, zooming down to a slab's objects, what pins slabs, keys, links.
const BOOT = 'truth/traces/boot-find-public.txt.gz';
const BOOT_SNAPSHOTS = 'truth/traces/boot-find-public.snapshots.json.gz';
const MIB = 2 ** 20;

async function openBoot({ goto, drop, view, page }) {
  await goto();
  await drop(BOOT, BOOT_SNAPSHOTS);
  await view('Memory');
  await page.getByRole('region', { name: 'Memory' }).waitFor();
  await drawn(page);
}

/** Until the map has been drawn, and nothing is waited for. */
async function drawn(page) {
  await page.waitForFunction(() => {
    const canvas = document.querySelector('.memory-surface canvas');
    return canvas?.width > 100 && document.querySelector('.memory[aria-busy=false]') !== null;
  });
  await page.waitForTimeout(400);
}

/** As if a person had followed a link. */
async function follow(page, hash) {
  await page.waitForTimeout(400);
  await page.evaluate((to) => {
    location.hash = to;
  }, hash);
}

/** Width and height of a cell of the map, by the address. */
async function cellSize(page) {
  return page.evaluate(() => {
    const [, side] = /map=\d+x1x(\d+)/.exec(decodeURIComponent(location.hash)).map(Number);
    const { clientWidth } = document.querySelector('.memory-surface');
    const columns = Math.floor(clientWidth / side);
    return [clientWidth / (columns > 8 ? Math.round(columns / 8) * 8 : columns), side];
  });
}

/** First frames of slabs of a cache, the sparsest first: from the links that the caches view has. */
async function slabsOf(page, cache) {
  await follow(page, `#caches?cache=${cache}`);
  const links = page.locator('.slab-links a');
  await links.first().waitFor();
  const all = await links.evaluateAll((each) => each.map(({ hash, textContent }) => [hash, textContent]));
  return all.flatMap(([hash, live]) => (live.startsWith('0/') ? [] : [Number(/frame=(\d+)/.exec(hash)[1])]));
}

/** A point of the map with a strong colour: a slab. */
async function pointOf(page) {
  return page.locator('.memory-surface canvas').evaluate((canvas) => {
    const { left, top } = canvas.getBoundingClientRect();
    const context = canvas.getContext('2d');
    for (let y = 60; y < canvas.clientHeight; y += 3)
      for (let x = 40; x < canvas.clientWidth - 120; x += 3) {
        const [red, green, blue] = context.getImageData(
          x * devicePixelRatio,
          y * devicePixelRatio,
          1,
          1,
        ).data;
        if (Math.max(red, green, blue) - Math.min(red, green, blue) > 70) return { x: left + x, y: top + y };
      }
    throw new Error('no slab is in sight');
  });
}

/** A column of a table whose rows are not all in the document, by the rows' keys. */
async function everyRow(table, column) {
  const found = await table.evaluate(async (element, name) => {
    const scroller = element.parentElement;
    const values = new Map();
    scroller.scrollTop = 0;
    for (;;) {
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
      for (const row of element.querySelectorAll('tbody tr[data-key]'))
        values.set(row.dataset.key, row.querySelector(`[data-column=${name}]`).textContent);
      const before = scroller.scrollTop;
      scroller.scrollTop += scroller.clientHeight / 2;
      if (scroller.scrollTop === before) break;
    }
    scroller.scrollTop = 0;
    return [...values];
  }, column);
  return new Map(found);
}

const bytesOf = (text) => {
  const [value, unit] = text.split(' ');
  return Number(value) * { B: 1, KiB: 1024, MiB: MIB, GiB: 1024 * MIB }[unit];
};

export default function (test) {
  test('memory: zones hold what the command line says', async (t) => {
    const { page, cli, assert, equal } = t;
    await openBoot(t);
    const { results } = await cli('replay', BOOT, '--snapshots', BOOT_SNAPSHOTS);
    const rows = await page
      .locator('.memory-zones tbody tr')
      .evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
    equal(
      rows.map(([name]) => name),
      results[0].zones.map(({ name }) => name),
    );
    for (const [i, { managedBytes: managed, takenBytes: taken }] of results[0].zones.entries()) {
      const [, told, slabs, pages, free] = rows[i].map((text, at) => (at === 0 ? text : bytesOf(text)));
      for (const [shown, right] of [
        [told, managed],
        [slabs + pages, taken],
        [free, managed - taken],
      ])
        assert.ok(Math.abs(shown - right) <= 0.006 * right, `${shown} is shown, ${right} is right`);
    }
    await t.shots('memory');
    await t.axe('memory');
  });

  test('memory: what is pinned by whom is what the command line says, and leads to the slabs', async (t) => {
    const { page, cli, equal } = t;
    await openBoot(t);
    const { results } = await cli('replay', BOOT, '--snapshots', BOOT_SNAPSHOTS);
    const { pins } = results[0];
    const shown = page.locator('.memory-pins > li');
    equal(await shown.count(), Math.min(pins.length, 30));
    const words = await shown.evaluateAll((all) => all.map((each) => each.textContent));
    for (const [i, { cache, site, objects, slabs }] of pins.slice(0, 30).entries()) {
      const many = (count, what) => `${count} ${what}${count === 1 ? '' : 's'}`;
      for (const part of [cache, site, `${many(objects, 'object')} in ${many(slabs, 'slab')}`])
        t.assert.ok(words[i].includes(part), `${words[i]}: ${part}`);
    }
    const second = pins.findIndex(({ slabs }) => slabs > 1);
    await shown.nth(second).getByRole('button').first().click();
    const links = shown.nth(second).locator('.memory-pinned button');
    await links.first().waitFor();
    equal(await links.count(), pins[second].slabs);
    await links.first().click();
    const slab = page.getByRole('region', { name: new RegExp(`of ${pins[second].cache}$`) });
    await slab.waitFor();
    const sites = await slab.locator('td[data-column=site]').allTextContents();
    t.assert.ok(
      sites.some((each) => each.startsWith(pins[second].site)),
      sites.join(' '),
    );
  });

  test('memory: the wheel leads from zones to pages to a slab to its objects, and back', async (t) => {
    const { page, assert } = t;
    await openBoot(t);
    const cell = page.locator('.memory-tools .muted');
    assert.match(await cell.textContent(), /a cell is \d+ pages/);
    const at = await pointOf(page);
    await page.mouse.move(at.x, at.y);
    const cellWas = await cell.textContent();
    for (let turn = 0; turn < 60 && (await page.locator('.memory-slab').count()) === 0; turn++) {
      await page.mouse.wheel(0, -60);
      await page.waitForTimeout(60);
      if (turn === 0) assert.notEqual(await cell.textContent(), cellWas);
      if ((await cell.count()) > 0 && (await cell.textContent()) === 'a cell is 1 page') {
        // What lies there are other pages now: on to one that is a slab's.
        await drawn(page);
        const next = await pointOf(page);
        await page.mouse.move(next.x, next.y);
      }
    }
    await page.locator('.memory-slab').waitFor();
    assert.match(await page.locator('.memory-slab > p').textContent(), /of \d+ objects live/);
    await page.getByRole('button', { name: '← Map' }).click();
    assert.equal(await cell.textContent(), 'a cell is 1 page');
    await page.getByRole('button', { name: 'Fit', exact: true }).click();
    assert.equal(await cell.textContent(), cellWas);
    await page.getByRole('button', { name: 'Fit', exact: true }).click();
    assert.notEqual(await cell.textContent(), cellWas);
  });

  test('memory: the pointer names what it is over, down to an object and who allocated it', async (t) => {
    const { page, goto, drop, assert } = t;
    await goto();
    await drop(BOOT, BOOT_SNAPSHOTS);
    const slab = (await slabsOf(page, 'dentry')).at(-1);
    await follow(page, `#memory?map=${slab - (slab % 8)}x1x60`);
    await drawn(page);
    const box = await page.locator('.memory-surface').boundingBox();
    const [width, height] = await cellSize(page);
    const column = slab % 8;
    // All over the page's cell: 21 objects lie in five rows.
    const seen = new Set();
    for (const row of [1, 3, 5, 7, 9])
      for (const part of [1, 3, 5, 7, 9]) {
        await page.mouse.move(box.x + (column + part / 10) * width, box.y + (row / 10) * height);
        await page.waitForTimeout(120);
        seen.add(await page.locator('.memory-words').textContent());
      }
    const words = [...seen].join('\n');
    assert.match(words, /dentry slab \d+: \d+ of 21 live/);
    assert.match(words, /dentry object \d+ · 0x[\da-f]+live__d_alloc\+0x[\da-f]+ \(.*, \d+\), .* ago/);
    assert.ok(seen.size > 15, words);
    await t.shots('memory-pages');
  });

  test('memory: one slab has its objects, its lists, and the event of each allocation', async (t) => {
    const { page, goto, drop, equal, assert } = t;
    await goto();
    await drop(BOOT, BOOT_SNAPSHOTS);
    const [frame] = await slabsOf(page, 'kmalloc-64');
    await follow(page, `#memory?slab=${frame}&frame=${frame}&object=5`);
    const slab = page.getByRole('region', { name: /^Slab \d+ of kmalloc-64$/ });
    await slab.waitFor();
    const facts = await slab.locator('> p').textContent();
    const [, live, objects] = /^(\d+) of (\d+) objects live/.exec(facts).map(Number);
    equal(objects, 64);
    const table = page.getByRole('grid', { name: 'Objects of the slab' });
    const states = await everyRow(table, 'state');
    equal(states.size, objects);
    equal([...states.values()].filter((state) => state.startsWith('live')).length, live);
    const picked = slab.getByRole('status');
    assert.match(await picked.textContent(), /^kmalloc-64 object 5 · 0x/);
    await t.shots('memory-slab');
    await t.axe('memory, a slab');
    const alive = [...states].find(([, state]) => state.startsWith('live'))[0];
    await follow(page, `#memory?slab=${frame}&frame=${frame}&object=${alive}`);
    const event = slab.getByRole('button', { name: /^To event \d+/ });
    const [, row] = /event (\d+),/.exec(await event.textContent());
    await event.click();
    await page.waitForFunction(
      (to) => location.hash.startsWith('#time') && location.hash.includes(`cursor=${to}`),
      row,
    );
    // In front of its allocation it was not there.
    await t.view('Memory');
    await page.waitForTimeout(600);
    const before = await page.locator('.memory').textContent();
    assert.ok(!before.includes('To event') || !before.includes(`To event ${row},`), before);
  });

  test('memory: by keyboard alone', async (t) => {
    const { page, goto, drop, assert } = t;
    await goto();
    await drop(BOOT, BOOT_SNAPSHOTS);
    await page.keyboard.press('3');
    await drawn(page);
    const cell = page.locator('.memory-tools .muted');
    const first = await cell.textContent();
    await page.keyboard.press('w');
    assert.notEqual(await cell.textContent(), first);
    await page.keyboard.press('s');
    await page.keyboard.press('f');
    await page.keyboard.press('f');
    await page.waitForFunction(() => location.hash.includes('map='));
    // To a slab from the list of pins.
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(() => document.activeElement?.closest('.memory-pins') !== null)) break;
    }
    await page.keyboard.press('Enter');
    await page.locator('.memory-pinned button').first().waitFor();
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('.memory-slab').waitFor();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() => location.hash.includes('object=1'));
    await page.keyboard.press('s');
    await page.locator('.memory-surface').waitFor();
    await drawn(page);
    // The map shows what was left, and the arrows go on from there.
    const frame = async () => Number(/frame=(\d+)/.exec(await page.evaluate(() => location.hash))?.[1]);
    const was = await frame();
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(
      (before) => !location.hash.includes(`frame=${before}&`) && !location.hash.endsWith(`frame=${before}`),
      was,
    );
    assert.ok((await frame()) > was);
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !location.hash.includes('frame='));
    const help = page.getByRole('dialog');
    await page.keyboard.press('?');
    await help.getByText('look into the picked slab').waitFor();
  });

  test('memory: frames come one after the other while the map is zoomed and while the cursor moves', async (t) => {
    const { page, assert } = t;
    await openBoot(t);
    const zoomed = await t.frames('memory while zooming', 120, (frame) => {
      const surface = document.querySelector('.memory-surface');
      const { left, top, width, height } = surface.getBoundingClientRect();
      const at = { clientX: left + width / 3, clientY: top + height / 3, bubbles: true, cancelable: true };
      surface.dispatchEvent(
        new WheelEvent('wheel', { ...at, deltaY: Math.floor(frame / 12) % 2 === 0 ? -60 : 60 }),
      );
    });
    assert.ok(zoomed.median < 100, `${zoomed.median} ms a frame`);
    const played = await t.frames('memory while the cursor moves', 90, (frame) => {
      const line = document.querySelector('.transport-line');
      const { left, top, width } = line.getBoundingClientRect();
      const at = { clientX: left + (width * (frame + 1)) / 92, clientY: top + 4, pointerId: 1, buttons: 1 };
      line.dispatchEvent(new PointerEvent('pointerdown', { ...at, bubbles: true }));
    });
    assert.ok(played.median < 100, `${played.median} ms a frame`);
    await drawn(page);
  });

  test('memory: a cache that is picked stands out, and without a trace the page says what to do', async (t) => {
    const { page, goto, assert } = t;
    await goto('#memory');
    await page.getByText('No trace is open').waitFor();
    await openBoot(t);
    const picture = () =>
      page.locator('.memory-surface canvas').evaluate((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        let sum = 0;
        for (let i = 0; i < data.length; i += 4) sum = (sum * 31 + data[i] + 256 * data[i + 1]) % 1e9;
        return sum;
      });
    const before = await picture();
    await page.getByRole('button', { name: 'dentry', exact: true }).click();
    await page.waitForFunction(() => location.hash.includes('cache=dentry'));
    await page.waitForTimeout(300);
    assert.notEqual(await picture(), before);
    await page.getByRole('button', { name: 'dentry', exact: true }).click();
    await page.waitForTimeout(500);
    assert.equal(await picture(), before);
  });
}
