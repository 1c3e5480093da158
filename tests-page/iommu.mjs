// IOMMU: figures and walks against the command line, both grids by keys and pointer, scripts and their mistakes, a heavy load, links.
import { readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The figures that are shown. */
function facts(page) {
  return page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll('[data-fact]')].map(({ dataset }) => [
        dataset.fact,
        Number(dataset.value),
      ]),
    ),
  );
}

function factsOf({ load, firstLevel, secondLevel }) {
  const asked = secondLevel.live * 1024;
  return {
    operations: load.operations,
    mapped: firstLevel?.mappedBytes ?? 0,
    live: secondLevel.live,
    empty: secondLevel.empty,
    peak: secondLevel.peakLive,
    held: secondLevel.endBytes,
    ratio: asked === 0 ? 0 : secondLevel.endBytes / asked,
    above: secondLevel.above4GiB,
    failed: load.failed,
    bugs: load.bugs,
  };
}

/** Waits until nothing runs. */
async function settled(page) {
  await page.locator('.iommu[aria-busy=false] .iommu-facts').waitFor();
}

const words = (page) => page.locator('.iommu-words li').allTextContents();

/** The steps of the walk as they are shown. */
function walk(page) {
  return page.locator('.iommu-step').evaluateAll((steps) =>
    steps.map((step) => ({
      head: step.querySelector('h4').textContent,
      bits: step.querySelector('.iommu-bits').textContent,
      fields: [...step.querySelectorAll('.iommu-fields tr')].map((row) => [
        row.cells[0].textContent,
        row.cells[2].textContent,
        row.cells[3].textContent,
      ]),
      leads: step.querySelector('.iommu-leads').textContent,
    })),
  );
}

const hex = (n) => `0x${n.toString(16)}`;
const grouped = (n) => String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ',');

function walkOf({ iova, steps }) {
  return steps.map(({ level, index, entry, descriptor, kind, fields, next, output }) => ({
    head: `level ${level}, entry ${grouped(index)} at ${hex(entry)}: 0x${descriptor.toString(16).padStart(8, '0')}, ${kind}`,
    bits: descriptor.toString(2).padStart(32, '0'),
    fields: fields.map(({ name, bits: [high, low], meaning }) => [
      high === low ? `${high}` : `${high}:${low}`,
      name,
      meaning,
    ]),
    leads:
      next !== undefined
        ? `→ the table at ${hex(next)}`
        : output !== undefined
          ? `→ ${hex(iova)} is physical ${hex(output)}`
          : `→ nothing is mapped at ${hex(iova)}: a fault`,
  }));
}

export default function (test) {
  test('iommu: figures and sentences are those of the command line, with every option', async ({
    page,
    goto,
    cli,
    equal,
  }) => {
    await goto('#iommu');
    await settled(page);
    equal(await facts(page), factsOf(await cli('iommu')));
    await page.getByLabel('seed').fill('7');
    await page.getByLabel('operations').fill('400');
    await page.getByLabel('operations').press('Enter');
    await page.locator('[data-fact=operations]', { hasText: '400' }).waitFor();
    await settled(page);
    const base = ['iommu', '--seed', '7', '--ops', '400'];
    equal(await facts(page), factsOf(await cli(...base)));
    for (const [label, option] of [
      ['give empty tables back', '--free-empty'],
      ['bugs mended', '--faults=fixed'],
      ['without DMA32', '--without-dma32'],
    ]) {
      await page.getByLabel(label).check();
      await page.waitForTimeout(50);
      await settled(page);
      base.push(option);
      const result = await cli(...base);
      equal(await facts(page), factsOf(result), option);
      equal(await words(page), result.words);
      if (result.freeEmpty === null) continue;
      const { kernel, freeing } = result.freeEmpty;
      const of = (level) => [
        level.endBytes,
        level.peakBytes,
        level.meanBytes,
        level.live,
        level.empty,
        level.allocated,
      ];
      const cells = await page
        .locator('.iommu-free-empty tbody tr')
        .evaluateAll((rows) =>
          rows.map((row) => [...row.querySelectorAll('td')].map(({ dataset }) => Number(dataset.value))),
        );
      equal(
        cells,
        of(kernel).map((value, i) => [value, of(freeing)[i]]),
      );
    }
    await page.getByText(/^What failed: [1-9]/).click();
    await page.locator('.iommu-list li', { hasText: '-ENOMEM (-12)' }).first().waitFor();
  });

  test('iommu: any address is walked as the command line walks it', async ({ page, goto, cli, equal }) => {
    await goto('#iommu');
    await settled(page);
    const { firstLevel, tables } = await cli('iommu');
    const section = firstLevel.entries.indexOf('s') * 2 ** 20;
    const used = tables.filter((table) => table.used > 0).slice(0, 3);
    const addresses = [0, section + 0x12345, ...used.map(({ iova }) => iova + 0x321), used[0].iova + 0xff000];
    const { walks } = await cli('iommu', ...addresses.flatMap((address) => ['--walk', hex(address)]));
    for (const each of walks) {
      await page.getByLabel('input address').fill(hex(each.iova));
      await page.getByRole('button', { name: 'Walk', exact: true }).click();
      const last = walkOf(each).at(-1).leads;
      await page.locator('.iommu-leads', { hasText: last }).waitFor();
      equal(await walk(page), walkOf(each), hex(each.iova));
    }
    await page.getByLabel('input address').fill('0x100000000');
    await page.getByRole('button', { name: 'Walk', exact: true }).click();
    await page.getByRole('alert').getByText('an input address has 32 bits here').waitFor();
    await page.getByLabel('input address').fill('somewhere');
    await page.getByRole('button', { name: 'Walk', exact: true }).click();
    await page.getByRole('alert').getByText("there stands 'somewhere'").waitFor();
  });

  test('iommu: the grids name their entries, by pointer and by keys', async ({
    page,
    goto,
    cli,
    equal,
    assert,
  }) => {
    await goto('#iommu');
    await settled(page);
    const { firstLevel, tables } = await cli('iommu');
    const label = await page.locator('[data-grid=first]').getAttribute('aria-label');
    const letters = (letter) => [...firstLevel.entries].filter((each) => each === letter).length;
    const empty = tables.filter(({ used, iova }) => used === 0 && iova !== null).length;
    assert.ok(
      label.includes(
        `${grouped(letters('.'))} faults, ${empty} empty tables, ${letters('t') - empty} tables`,
      ),
      label,
    );

    // A click on a table opens it; the cell is where the table's index says.
    const table = tables.find(({ used }) => used > 20);
    const index = table.iova / 2 ** 20;
    const canvas = page.locator('[data-grid=first] canvas');
    const { width } = await canvas.boundingBox();
    const cell = Math.floor((width - 74 - 2) / 64);
    const position = { x: 74 + ((index % 64) + 0.5) * cell, y: 2 + (Math.floor(index / 64) + 0.5) * cell };
    await canvas.hover({ position });
    await page.locator('.tooltip', { hasText: `entry ${grouped(index)}: ${hex(table.iova)}` }).waitFor();
    await page.locator('.tooltip', { hasText: 'pointer to a table' }).waitFor();
    await canvas.click({ position });
    await page.locator('[data-named=first]', { hasText: `${table.used} of 256 entries in use` }).waitFor();
    await page.locator('.iommu-used', { hasText: hex(table.address) }).waitFor();
    equal(await page.locator('.iommu-slot.chosen').getAttribute('data-table'), String(table.id));

    // Keys: along the first level, into the second, and along that.
    await page.locator('[data-grid=first]').focus();
    await page.keyboard.press('ArrowRight');
    await page.locator('[data-named=first]', { hasText: `entry ${grouped(index + 1)},` }).waitFor();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    await page.locator('[data-grid=second]:focus').waitFor();
    await page.keyboard.press('ArrowDown');
    await page.locator('[data-named=second]', { hasText: 'entry 16,' }).waitFor();
    const { walks } = await cli('iommu', '--walk', hex(table.iova + 16 * 4096));
    await page.locator('.iommu-leads', { hasText: walkOf(walks[0])[1].leads }).waitFor();
    equal(await walk(page), walkOf(walks[0]));
    await page.keyboard.press('t');
    await page.waitForFunction((was) => !location.hash.includes(was), hex(table.iova));
  });

  test('iommu: tables are marked on RAM, and the line is at 4 GiB', async ({
    page,
    goto,
    cli,
    equal,
    assert,
  }) => {
    await goto('#iommu');
    await settled(page);
    const { tables, machine } = await cli('iommu');
    const marked = await page
      .locator('.iommu-mark:not(.first)')
      .evaluateAll((marks) =>
        marks.map((mark) => [Number(mark.getAttribute('x')), Number(mark.dataset.tables)]),
      );
    equal(
      marked.reduce((sum, [, count]) => sum + count, 0),
      tables.length,
    );
    const limit = Number(await page.locator('.iommu-limit').getAttribute('x1'));
    const { start, end } = { start: machine.ram[0].start, end: machine.ram.at(-1).end };
    equal(limit, ((2 ** 32 - start) / (end - start)) * 1000);
    assert.ok(marked.every(([x]) => x < limit));
    equal(await page.locator('.iommu-slot').count(), tables.length);
  });

  test('iommu: a script is run, and its mistakes are told with their line', async ({
    page,
    goto,
    cli,
    equal,
  }) => {
    const good =
      'map 0x100000 0x40000000 64K\nmap 0x200000 0x50000000 1M prot=READ\nunmap 0x100000 4K\nphys 0x200010\n';
    await goto('#iommu?load=script');
    await settled(page);
    const area = page.getByLabel('Script of maps and unmaps');
    await area.fill(`${good}mop 0x0`);
    await area.press('Control+Enter');
    await page
      .getByRole('alert')
      .getByText("script:5: no operation is called 'mop'; did you mean 'map'")
      .waitFor();
    equal(
      await area.evaluate((element) => element.value.slice(element.selectionStart, element.selectionEnd)),
      'mop 0x0',
    );
    await area.fill(good);
    await area.press('Control+Enter');
    await page.locator('[data-fact=operations]', { hasText: /^4$/ }).waitFor();
    const path = join(tmpdir(), `slablab-page-${process.pid}.iommu`);
    writeFileSync(path, good);
    equal(await facts(page), factsOf(await cli('iommu', path)));
    // It is in the address: the link leads to the same.
    await page.waitForFunction(() => location.hash.includes('0x200010'));
    await page.reload();
    await settled(page);
    equal(await facts(page), factsOf(await cli('iommu', path)));
    // What kernels of another era did not check.
    const exhausting = 'exhaust\nmap 0x1000 0x40000000 4K\nmap 0x200000 0x40000000 4K\n';
    await page.getByLabel('era', { exact: true }).selectOption('v6');
    await area.fill(exhausting);
    await area.press('Control+Enter');
    await page.getByText('The kernel crashes at line 2').waitFor();
    writeFileSync(path, exhausting);
    const crashed = await cli('iommu', path, '--era', 'v6');
    equal(await facts(page), factsOf(crashed));
    equal(await words(page), crashed.words);
    await page.getByText(crashed.crash.message).waitFor();
    writeFileSync(path, good);
    // The same as a file.
    await goto('#iommu');
    await settled(page);
    await page.setInputFiles('.iommu input[type=file]', path);
    await page.locator('[data-fact=operations]', { hasText: /^4$/ }).waitFor();
    await settled(page);
    equal(await facts(page), factsOf(await cli('iommu', path)));
  });

  test('iommu: the recorded load runs beside the page, can be cancelled, and comes out as on the command line', async (t) => {
    const { page, goto, cli, equal, assert, say } = t;
    await goto('#iommu');
    await settled(page);
    await page.getByLabel('load', { exact: true }).selectOption('recorded');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Cancelled.').waitFor();
    await page.getByLabel('load', { exact: true }).selectOption('generated');
    await settled(page);
    await page.evaluate(() => {
      globalThis.longest = 0;
      let before = performance.now();
      const frame = (now) => {
        globalThis.longest = Math.max(globalThis.longest, now - before);
        before = now;
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    });
    const began = Date.now();
    await page.getByLabel('load', { exact: true }).selectOption('recorded');
    await page.getByRole('status').getByText('a second').waitFor();
    await page.locator('[data-fact=operations]', { hasText: '100,000' }).waitFor();
    await settled(page);
    const longest = await page.evaluate(() => globalThis.longest);
    say(
      `100,000 operations in ${((Date.now() - began) / 1000).toFixed(1)} s; the page's longest frame took ${longest.toFixed(0)} ms`,
    );
    assert.ok(longest < 1000, `the page stood still for ${longest} ms`);
    const result = await cli('iommu', 'recorded');
    equal(await facts(page), factsOf(result));
    equal(await words(page), result.words);
  });

  test('iommu: a recorded workload that is dropped here is run here', async ({ page, goto, root, equal }) => {
    await goto('#iommu');
    await settled(page);
    const data = readFileSync(join(root, 'truth/v7s-workload.json.gz')).toString('base64');
    const transfer = await page.evaluateHandle((packed) => {
      const carried = new DataTransfer();
      carried.items.add(
        new File([Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0))], 'mine.json.gz'),
      );
      return carried;
    }, data);
    await page.dispatchEvent('.iommu', 'drop', { dataTransfer: transfer });
    await page.locator('[data-fact=operations]', { hasText: '100,000' }).waitFor();
    equal(await page.getByLabel('load', { exact: true }).inputValue(), 'file');
    equal(await page.locator('.frame-file').textContent(), '', 'the page has not opened it as a trace');
  });

  test('iommu: looks', async ({ page, goto, shots, axe }) => {
    await goto('#iommu?at=0x3400000');
    await settled(page);
    await page.locator('[data-named=second]').waitFor();
    await axe('iommu');
    await shots('iommu');
    await goto('#iommu?load=script&free-empty=1&tables=slub');
    await settled(page);
    await axe('iommu with a script');
    await shots('iommu-script');
  });
}
