// Learn: the tour and own steps against the same engine run here, each step reversible, wrong flags, links, keys alone.
import { parseActs } from '../dist/web/views/learn/acts.js';
import { Lesson } from '../dist/web/views/learn/lesson.js';
import { TOURS } from '../dist/web/views/learn/tour.js';

/** What is drawn: of each cache its slabs by where they are, with their lists and live objects in words; the zones' free blocks. */
function drawn(page) {
  return page.evaluate(() => ({
    slabs: [...document.querySelectorAll('[data-cache]')].flatMap((cache) =>
      [...cache.querySelectorAll('[data-slab]')].map((slab) => [
        cache.dataset.cache,
        Number(slab.dataset.slab),
        slab.dataset.place,
        slab.querySelector('svg').getAttribute('aria-label'),
      ]),
    ),
    zones: [...document.querySelectorAll('[data-zone]')].map((zone) => [
      zone.dataset.zone,
      ...[...zone.querySelectorAll('[data-order]')].map((order) => Number(order.textContent.split(':')[1])),
    ]),
  }));
}

/** The same of a lesson. */
function expected({ state }) {
  const live = new Map(
    state.objects.filter((object) => object.live).map((object) => [object.address, object.number]),
  );
  const words = ({ serial, objects, freelist, cpuFreelist }) => {
    const numbers = objects.flatMap(({ address }) => (live.has(address) ? [`#${live.get(address)}`] : []));
    const lists = [
      numbers.length === 0 ? 'no live object' : `live: ${numbers.join(' ')}`,
      ...(cpuFreelist.length > 0 ? [`c->freelist: ${cpuFreelist.join(' ')}`] : []),
      ...(freelist.length > 0 ? [`slab->freelist: ${freelist.join(' ')}`] : []),
    ];
    return `slab ${serial}: ${lists.join('; ')}`;
  };
  return {
    slabs: state.picture.caches.flatMap((cache) =>
      cache.slabs.map((slab) => [cache.name, slab.serial, slab.place, words(slab)]),
    ),
    zones: state.picture.zones.map(({ name, freeBlocks }) => [name, ...freeBlocks.slice(0, 7)]),
  };
}

const sorted = ({ slabs, zones }) => ({
  slabs: [...slabs].sort((a, b) => (`${a[0]} ${a[1]}` < `${b[0]} ${b[1]}` ? -1 : 1)),
  zones,
});
const count = (page) => page.locator('.learn-count').textContent();
const story = (page) => page.locator('.learn-story');

export default function (test) {
  for (const allocator of ['slub', 'slab']) {
    test(`learn: the tour of ${allocator} shows at each stop what the engine holds there`, async ({
      page,
      goto,
      equal,
    }) => {
      await goto(allocator === 'slub' ? '#learn' : '#learn?allocator=slab');
      const lesson = new Lesson(allocator);
      for (const [i, { title, acts }] of TOURS[allocator].entries()) {
        for (const act of parseActs(acts)) lesson.do(act);
        if (i > 0) await page.getByRole('button', { name: 'Next' }).click();
        await page.locator('.learn-stop h2', { hasText: title }).waitFor();
        const shown = sorted(await drawn(page));
        const wanted = sorted(expected(lesson));
        // A cache that was destroyed too early has objects that nobody can free.
        equal(shown.zones, wanted.zones, title);
        equal(
          shown.slabs.map(([cache, serial, place]) => [cache, serial, place]),
          wanted.slabs.map(([cache, serial, place]) => [cache, serial, place]),
          title,
        );
        if (title !== 'Destroyed too early') equal(shown.slabs, wanted.slabs, title);
      }
      equal(await count(page), `step ${lesson.position} of ${lesson.position}`);
    });
  }

  test('learn: each step can be taken back and done again, and a click frees', async ({
    page,
    goto,
    equal,
    assert,
  }) => {
    await goto('#learn?tour=6');
    await page.locator('.learn-stop h2', { hasText: 'A CPU of its own' }).waitFor();
    const before = await drawn(page);
    await page.getByRole('button', { name: 'CPU 1', exact: true }).click();
    await page.locator('[data-object="1"]').click();
    await page.locator('.learn-path', { hasText: 'slow path: frozen slab' }).waitFor();
    await page.getByRole('button', { name: /^alloc a$/ }).click();
    const after = await drawn(page);
    assert.notDeepEqual(after, before);
    await page.getByRole('button', { name: /undo/ }).click();
    await page.getByRole('button', { name: /undo/ }).click();
    equal(await drawn(page), before);
    await page.getByRole('slider', { name: 'Step' }).fill('0');
    equal((await drawn(page)).slabs, []);
    await page.getByRole('slider', { name: 'Step' }).fill('12');
    equal(await drawn(page), after);
    await page.getByRole('heading', { name: 'On your own' }).waitFor();
    await page.getByRole('button', { name: 'Back to the tour' }).click();
    equal(await drawn(page), before);
  });

  test('learn: wrong flags have the kernel’s warning, and what it refuses is told', async ({
    page,
    goto,
  }) => {
    await goto('#learn');
    await page.getByRole('button', { name: 'Start with nothing' }).click();
    await page.locator('summary', { hasText: 'New cache' }).click();
    await page.getByLabel('name', { exact: true }).fill('both');
    await page.getByLabel('CACHE_DMA32').check();
    await page.getByLabel('CACHE_DMA', { exact: true }).check();
    await page.getByRole('button', { name: 'kmem_cache_create' }).click();
    await story(page).getByText('no zone is both').waitFor();
    await page.keyboard.press('a');
    await story(page).getByText('GFP_DMA|GFP_DMA32 names an impossible zone').waitFor();

    await page.getByLabel('CACHE_DMA32').uncheck();
    await page.getByLabel('CACHE_DMA', { exact: true }).uncheck();
    await page.getByLabel('name', { exact: true }).fill('plain');
    await page.getByRole('button', { name: 'kmem_cache_create' }).click();
    await page.getByLabel('gfp', { exact: true }).selectOption('GFP_KERNEL|GFP_DMA32');
    await page.getByRole('button', { name: /^alloc a$/ }).click();
    await story(page)
      .getByText('Unexpected gfp: 0x4 (GFP_DMA32). Fixing up to gfp: 0xcc0 (GFP_KERNEL). Fix your code!')
      .waitFor();
    await story(page).getByText('above 4 GiB, where 32 bits do not reach').waitFor();

    await page.getByRole('button', { name: /^destroy/ }).click();
    await story(page).getByText('Objects remaining in plain on __kmem_cache_shutdown()').waitFor();

    await page.getByLabel('others').fill('0x10');
    await page.getByRole('button', { name: 'kmem_cache_create' }).click();
    await story(page).getByText('failed with error -22').waitFor();
    await page.getByLabel('others').fill('ACOUNT');
    await page.getByRole('button', { name: 'kmem_cache_create' }).click();
    await page.getByRole('alert').getByText("did you mean 'ACCOUNT'").waitFor();
    await page.getByLabel('others').fill('');
    await page.getByLabel('align', { exact: true }).fill('3');
    await page.getByRole('button', { name: 'kmem_cache_create' }).click();
    await page.getByRole('alert').getByText('alignment 3 is no power of two').waitFor();
  });

  test('learn: a link leads to the same lesson, also at a step in the middle', async ({
    page,
    goto,
    origin,
    equal,
    context,
  }) => {
    await goto('#learn?lesson=create+t+200+flags%3DCACHE_DMA32%3Balloc+t+25%3Bfree+3-7+cpu%3D1&step=20');
    await page.locator('.learn-count', { hasText: 'step 20 of 31' }).waitFor();
    await page.keyboard.press('a');
    await page.locator('.learn-count', { hasText: 'step 21 of 21' }).waitFor();
    await page.waitForFunction(() => location.hash.includes('alloc+t+20'));
    const shown = await drawn(page);
    const link = await page.evaluate(() => location.hash);
    const other = await context.newPage();
    await other.goto(`${origin}${link}`);
    await other.locator('.learn-count', { hasText: 'step 21 of 21' }).waitFor();
    equal(await drawn(other), shown);
    const lesson = new Lesson('slub');
    for (const act of parseActs('create t 200 flags=CACHE_DMA32;alloc t 20')) lesson.do(act);
    equal(sorted(shown), sorted(expected(lesson)));
    // A lesson that goes wrong says where, and is there up to that line.
    await other.goto('about:blank');
    await other.goto(`${origin}#learn?lesson=create+t+64%3Ballok+t`);
    await other.getByRole('alert').getByText("lesson:2: no operation is called 'allok'").waitFor();
    await other.close();
  });

  test('learn: by keyboard alone', async ({ page, goto, equal }) => {
    await goto('#learn');
    await page.locator('.learn-tour').waitFor();
    const press = async (...keys) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    await press('n', 'n');
    await page.locator('.learn-stop h2', { hasText: 'The first object' }).waitFor();
    await press('a', 'a', '8', 'c', 'a', 'ArrowLeft', 'ArrowLeft', 'f');
    await page.locator('.learn-path', { hasText: 'slow path: frozen slab' }).waitFor();
    equal(await count(page), 'step 14 of 14');
    await press(',', ',');
    equal(await count(page), 'step 12 of 14');
    await press('.');
    equal(await count(page), 'step 13 of 14');
    await press('s', 'p');
    await page.locator('.learn-stop h2', { hasText: 'The first object' }).waitFor();
    // The form as well.
    await page.locator('summary', { hasText: 'As text' }).focus();
    await press('Enter', 'Tab', 'Control+a');
    await page.keyboard.type('create small 64\nalloc small 3');
    await press('Tab', 'Enter');
    await page.locator('.learn-count', { hasText: 'step 4 of 4' }).waitFor();
    await press('Escape', '?');
    await page.getByRole('dialog').getByText('next stop of the tour').waitFor();
  });

  test('learn: looks', async ({ page, goto, shots, axe }) => {
    await goto('#learn?tour=10');
    await page.locator('.learn-stop h2', { hasText: 'A list that is full' }).waitFor();
    await axe('learn');
    await shots('learn');
    await goto('#learn?allocator=slab&tour=9');
    await page.locator('.learn-stop h2', { hasText: 'The reaper' }).waitFor();
    await axe('learn with SLAB');
    await shots('learn-slab');
  });
}
