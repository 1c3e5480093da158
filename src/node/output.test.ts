import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InputError } from '../base/index.js';
import { prepareOutput } from './output.js';
import { prepareFolder } from './output-folder.js';

const folder = mkdtempSync(join(tmpdir(), 'slablab-output-'));
const disks: string[] = [];
after(() => {
  for (const disk of disks) spawnSync('umount', ['-l', disk]);
  rmSync(folder, { recursive: true, force: true });
});
const isRoot = process.getuid?.() === 0;

let names = 0;
function fresh(text?: string): string {
  const path = join(folder, `file-${names++}`);
  if (text !== undefined) writeFileSync(path, text);
  return path;
}

const bytes = (text: string) => Buffer.from(text);
const save = (path: string, text = 'new') => prepareOutput(path).save((write) => write(bytes(text)));
const leftovers = () => readdirSync(folder).filter((name) => name.includes('slablab'));

test('a file is there whole, or as it was', async () => {
  for (const size of [3, 5 << 20]) {
    const path = fresh('before');
    const failing = prepareOutput(path).save((write) => {
      write(Buffer.alloc(size));
      assert.equal(readFileSync(path, 'utf8'), 'before');
      throw new InputError('x', 0, 'no');
    });
    await assert.rejects(failing, { message: 'x: no' });
    assert.equal(readFileSync(path, 'utf8'), 'before');
    const pieces = [Buffer.alloc(size, 1), Buffer.alloc(size, 2)];
    await prepareOutput(path).save((write) => {
      for (const piece of pieces) {
        const given = Buffer.from(piece);
        write(given);
        // Its memory is the writer's again.
        given.fill(9);
      }
    });
    assert.ok(readFileSync(path).equals(Buffer.concat(pieces)));
    assert.deepEqual(leftovers(), []);
  }
});

test('an input is not written over, whatever it is called', () => {
  const input = fresh('precious');
  const [link, hard, ofLink] = [fresh(), fresh(), fresh()];
  symlinkSync(input, link);
  symlinkSync(link, ofLink);
  linkSync(input, hard);
  const fd = openSync(input, 'r+');
  const others = ['/dev/fd', '/proc/self/fd']
    .map((where) => `${where}/${fd}`)
    .filter((path) => existsSync(path));
  for (const path of [input, link, ofLink, hard, ...others])
    for (const inputs of [[input], [undefined, 'nowhere', link], [hard]])
      assert.throws(() => prepareOutput(path, { inputs }), {
        name: 'ArgumentError',
        message: `${path} is what is read: write another file`,
      });
  closeSync(fd);
  assert.equal(readFileSync(input, 'utf8'), 'precious');
});

test('what is no ordinary file is written into, and stays what it is', {
  skip: process.platform !== 'linux' && 'it has no /dev/full',
}, async () => {
  await save('/dev/null');
  assert.ok(statSync('/dev/null').isCharacterDevice());
  await assert.rejects(save('/dev/full'), {
    name: 'OutputError',
    message: /\/dev\/full: cannot be written: no space/,
  });
  assert.ok(statSync('/dev/full').isCharacterDevice());
  const fifo = fresh();
  execFileSync('mkfifo', [fifo]);
  // Opened for both, so that nobody waits for anybody.
  const fd = openSync(fifo, 'r+');
  await save(fifo, 'through');
  const got = Buffer.alloc(7);
  assert.equal(
    await new Promise((done) =>
      import('node:fs').then(({ read }) => read(fd, got, 0, 7, null, (_, n) => done(n))),
    ),
    7,
  );
  assert.equal(got.toString(), 'through');
  assert.ok(lstatSync(fifo).isFIFO());
  closeSync(fd);
  // A descriptor of ours is written to where it stands.
  const path = fresh();
  const own = openSync(path, 'w+');
  await save(`/dev/fd/${own}`, 'one');
  await save(`/proc/self/fd/${own}`, 'two');
  assert.equal(readFileSync(path, 'utf8'), 'onetwo');
  closeSync(own);
});

test('a link stays, and a file keeps its mode and owner', async () => {
  const [target, link, dangling, later] = [fresh('old'), fresh(), fresh(), fresh()];
  symlinkSync(target, link);
  symlinkSync(later, dangling);
  chmodSync(target, 0o640);
  if (isRoot) chownSync(target, 1234, 4321);
  await save(link);
  await save(dangling);
  assert.ok(lstatSync(link).isSymbolicLink() && lstatSync(dangling).isSymbolicLink());
  assert.equal(readFileSync(target, 'utf8'), 'new');
  assert.equal(readFileSync(later, 'utf8'), 'new');
  const { mode, uid, gid } = statSync(target);
  assert.equal(mode & 0o7777, 0o640);
  if (isRoot) assert.deepEqual([uid, gid], [1234, 4321]);
  assert.equal(statSync(later).mode & 0o777, 0o666 & ~process.umask(), 'a new one is as others are');
});

test('what cannot be written is told before the work, in one way', () => {
  const file = fresh('x');
  const circle = fresh();
  symlinkSync(circle, circle);
  for (const [path, message] of [
    [join(folder, 'no', 'x'), 'cannot be written: there is no such folder'],
    [join(file, 'x'), 'cannot be written: a part of the path is no folder'],
    [join(folder, 'x'.repeat(300)), 'cannot be written: its name is too long'],
    [folder, 'expected the name of a file to write, but it is a directory'],
    [`${folder}/x/`, 'expected the name of a file to write, but it ends as a folder does'],
    [circle, 'cannot be written: its links lead in a circle'],
  ] as const)
    assert.throws(() => prepareOutput(path), { name: 'OutputError', message: `${path}: ${message}` });
  assert.throws(() => prepareOutput(''), {
    name: 'OutputError',
    message: /^'': expected the name of a file/,
  });
});

/** Runs a program of the compiled room as another user, who may do less. */
function asNobody(program: string): string {
  const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
  const code = `import { prepareOutput } from ${module('./output.js')}; ${program}`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    uid: 65534,
    gid: 65534,
    cwd: '/',
    encoding: 'utf8',
  });
  return stdout + stderr;
}

test('what the system refuses is no permission', {
  skip: !isRoot && 'only root can be somebody else',
}, () => {
  const readOnly = fresh('x');
  const ours = join(folder, 'ours');
  mkdirSync(ours);
  chmodSync(folder, 0o755);
  for (const path of [readOnly, join(ours, 'x')]) {
    const program = `try { prepareOutput(${JSON.stringify(path)}); } catch (e) { console.log(e.code, e.message) }`;
    assert.equal(asNobody(program), `no-permission ${path}: no permission to write it\n`);
  }
});

/** A file system of so many KiB; undefined where none can be mounted. */
function tinyDisk(kib: number): string | undefined {
  const at = join(folder, `disk-${names++}`);
  mkdirSync(at);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'none', at]).status !== 0) return undefined;
  disks.push(at);
  return at;
}
const disk = tinyDisk(64);

test('a full disk, and one that may only be read', {
  skip: disk === undefined && 'nothing can be mounted',
}, async () => {
  const path = join(disk!, 'x');
  writeFileSync(path, 'before');
  for (const size of [1 << 20, 6 << 20]) {
    await assert.rejects(save(path, 'x'.repeat(size)), {
      name: 'OutputError',
      message: `${path}: cannot be written: no space is left on the disk`,
    });
    assert.equal(readFileSync(path, 'utf8'), 'before');
    assert.deepEqual(readdirSync(disk!), ['x']);
  }
  spawnSync('mount', ['-o', 'remount,ro', disk!]);
  const refused = {
    code: 'no-permission',
    message: /no permission to write it: its file system is read-only$/,
  };
  for (const name of ['x', 'y']) assert.throws(() => prepareOutput(join(disk!, name)), refused);
  for (const name of ['.', 'new'])
    assert.throws(() => prepareFolder(join(disk!, name), { force: true }), refused);
});

const tree = (text: string) => ({
  directories: new Map([['a', new Map([['f', { text, mode: 0o600 }]])]]),
  links: new Map([['l', 'a']]),
});

test('a folder is written whole or not at all', {
  skip: disk === undefined && 'nothing can be mounted',
}, async () => {
  const small = tinyDisk(64)!;
  const large = tree('x'.repeat(1 << 20));
  await assert.rejects(prepareFolder(join(small, 'p', 'q')).save(large), { message: /no space is left/ });
  assert.deepEqual(readdirSync(small), []);
  await prepareFolder(join(small, 'p', 'q')).save(tree('good'));
  await assert.rejects(prepareFolder(join(small, 'p', 'q'), { force: true }).save(large), {
    message: /no space/,
  });
  assert.deepEqual(readdirSync(join(small, 'p', 'q')).sort(), ['a', 'l']);
  assert.equal(readFileSync(join(small, 'p', 'q', 'l', 'f'), 'utf8'), 'good');
});

test('a folder keeps what else is in it, and takes no input away', async () => {
  const path = join(folder, 'tree');
  mkdirSync(join(path, 'a'), { recursive: true });
  chmodSync(path, 0o750);
  writeFileSync(join(path, 'a', 'other'), 'mine');
  writeFileSync(join(path, 'a', 'f'), 'script');
  assert.throws(() => prepareFolder(path), { name: 'OutputError', message: /expected an empty folder/ });
  const over = prepareFolder(path, { force: true, inputs: [join(path, 'a', 'f')] });
  await assert.rejects(over.save(tree('new')), { name: 'ArgumentError', message: /would be written over/ });
  assert.equal(readFileSync(join(path, 'a', 'f'), 'utf8'), 'script');
  await prepareFolder(path, { force: true }).save(tree('new'));
  assert.deepEqual(readdirSync(join(path, 'a')).sort(), ['f', 'other']);
  assert.equal(readFileSync(join(path, 'l', 'f'), 'utf8'), 'new');
  assert.equal(statSync(path).mode & 0o777, 0o750);
});
