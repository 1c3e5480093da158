// Packs the npm packages as `npm publish` would, and uses them in empty folders as somebody who installed them:
//
//     npm run check:package                    builds, then all of the below
//     node tools/check-package.mjs --quick     1 to 3 for `slablab`, without installing: a second
//     node tools/check-package.mjs --weigh     also says which folder weighs what
//
//   1. each file that package.json names is in the package, with its declarations, and nothing that is no part of it;
//   2. `slablab` depends on nothing and weighs no more than LIMIT, packed (`--limit KIB` tries another one);
//   3. every entry can be imported by its name, and has something;
//   4. the programs of README.md and docs/library.md run as they stand;
//   5. a TypeScript program that uses it compiles, for Node and for bundlers, with its declarations checked and lib es2022;
//   6. publint and arethetypeswrong find nothing; where they cannot be fetched, that is said;
//   7. `slablab-cli`: the same, but for its weight; and the command `slablab` answers. Its dependencies are linked from node_modules.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { writeDeclarations } from './pack-types.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CLI = join(ROOT, 'packages/cli');
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');
const TOOLS = { publint: '0.3.25', '@arethetypeswrong/cli': '0.18.5' };
const KIB = 1024;
/** What `slablab` may weigh, in KiB: two kernels and the library's allocator took 150, the caches and sheaves of Linux 7.3 take 18 more. */
const LIMIT = 170;

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean' }, weigh: { type: 'boolean' }, limit: { type: 'string' } },
});
const limit = options.limit === undefined ? LIMIT : Number(options.limit);

const top = mkdtempSync(join(tmpdir(), 'slablab-package-'));
process.on('exit', () => rmSync(top, { recursive: true, force: true }));

const say = (text) => process.stdout.write(`${text}\n`);
const kib = (bytes) => `${(bytes / KIB).toFixed(1)} KiB`;

function fail(message) {
  process.stderr.write(`${message}\n`);
  say('check:package failed');
  process.exit(1);
}

function must(holds, message) {
  if (!holds) fail(message);
}

function run(program, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (error !== undefined) fail(`${program}: ${error.message}`);
  must(status === 0, `${program} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

const node = (cwd, ...args) => run(process.execPath, ['--no-warnings', ...args], cwd);
const npm = (cwd, ...args) => run('npm', args, cwd);
const json = (file) => JSON.parse(readFileSync(file, 'utf8'));

function emptyFolder(name) {
  const folder = join(top, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  return folder;
}

// ---- packing -------------------------------------------------------------------------------------------------------------------

/** Packs the package in a folder. The build is the caller's business. */
function pack(folder) {
  const [packed] = JSON.parse(npm(folder, 'pack', '--json', '--ignore-scripts', '--pack-destination', top));
  return { ...packed, tarball: join(top, packed.filename) };
}

/** Puts a package into a folder's node_modules, without npm: what it depends on is linked from here. */
function unpack({ tarball, name }, folder) {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules, { recursive: true });
  run('tar', ['xzf', tarball, '-C', modules], folder);
  renameSync(join(modules, 'package'), join(modules, name));
  for (const dependency of Object.keys(json(join(modules, name, 'package.json')).dependencies ?? {}))
    symlinkSync(join(ROOT, 'node_modules', dependency), join(modules, dependency));
}

// ---- what is asked of both -----------------------------------------------------------------------------------------------------

/** 1. */
function checkFiles({ files, name }, manifest) {
  const there = new Set(files.map(({ path }) => path));
  const wanted = [
    ...Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    ),
    ...Object.values(manifest.bin ?? {}),
    'README.md',
    'LICENSE',
  ].map((path) => path.replace(/^\.\//, ''));
  for (const path of wanted) must(there.has(path), `${path} is wanted and not in ${name}`);
  const strange = [...there].filter(
    (path) => /\.test\.|\.map$|\.tsbuildinfo$|\.tsx?$/.test(path) && !/^(?!.*\.test\.).*\.d\.ts$/.test(path),
  );
  must(strange.length === 0, `these files are no part of ${name}: ${strange.join(', ')}`);
}

/** 3. */
function checkEntries(manifest, folder) {
  const specifiers = Object.keys(manifest.exports).map((key) => key.replace(/^\./, manifest.name));
  const program = specifiers.map((name) => {
    const type = name.endsWith('.json') ? ", { with: { type: 'json' } }" : '';
    return `{ const names = Object.keys(await import('${name}'${type})).length;
  if (names === 0) throw new Error('${name} exports nothing'); console.log('${name}', names); }`;
  });
  writeFileSync(join(folder, 'entries.mjs'), program.join('\n'));
  const counted = node(folder, 'entries.mjs').trim().split('\n');
  must(counted.length === specifiers.length, `imported ${counted.length} of ${specifiers.length} entries`);
  say(`${manifest.name}: ${counted.map((line) => line.slice(manifest.name.length)).join(',')} names`);
}

/** 5: compiles programs in a folder, as strictly as a user could. */
function compile(folder, programs, settings) {
  for (const [file, text] of Object.entries(programs)) writeFileSync(join(folder, file), text);
  for (const [how, options] of Object.entries(settings)) {
    const compilerOptions = {
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      target: 'es2022',
      lib: ['es2022'],
      types: [],
      ...options,
    };
    const config = join(folder, `tsconfig.${how}.json`);
    writeFileSync(config, JSON.stringify({ compilerOptions, files: Object.keys(programs) }));
    const { status, stdout } = spawnSync(process.execPath, [TSC, '-p', config], { encoding: 'utf8' });
    must(status === 0, `its types, ${how}:\n${stdout}`);
  }
  say(`types: right for ${Object.keys(settings).join(', ')}, with lib es2022 and skipLibCheck off`);
}

const SETTINGS = {
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
};

// ---- slablab -------------------------------------------------------------------------------------------------------------------

const CONSUMER = `import {
  ArmV7sPageTable, BadFreeError, type CacheView, DmaPool, type Fields, GFP, KmemCache, kmallocNames, type Ledger, Machine,
  type MachineHandle, type ManagedBuffer, NULL, type PhysAddr, type SheafOptions, SLAB, structLayout,
} from 'slablab';

const bytes: ManagedBuffer = new SharedArrayBuffer(2 ** 26);
const sheaves: Pick<SheafOptions, 'sheafCapacity'> = { sheafCapacity: 16 };
const machine: Machine = Machine.create({ kernel: 'library', memory: '64M', cpus: 2, bytes, ...sheaves });
const fields = { x: 'f32', n: 'u32' } as const satisfies Fields;
const layout = structLayout(fields);
const cache: KmemCache | null = machine.kmemCacheCreate('point', layout.size, { align: layout.align, flags: SLAB.NONE });
if (cache === null) throw new Error('refused');
const view: Pick<CacheView, 'alloc' | 'free'> = cache.cpu(1);
const address: PhysAddr = view.alloc(GFP.ATOMIC);
const point = cache.cursor(layout);
if (address !== NULL) point.at(address).x = 1.5;
const x: number = point.x;
const handle: MachineHandle = machine.handle;
const ledger: Ledger = machine.ledger;
cache[Symbol.dispose]();
// @ts-expect-error: a plain number is no address
cache.free(x);
// @ts-expect-error: there is no such field
point.y = 1;
export { ArmV7sPageTable, BadFreeError, DmaPool, handle, kmallocNames, ledger };
`;

function checkWeight({ size, files }) {
  const verdict = `${files.length} files, ${kib(size)} packed, limit ${limit} KiB`;
  must(size <= limit * KIB, `slablab is too heavy: ${verdict}`);
  say(`slablab: ${verdict}`);
}

/** 4. */
function checkPrograms(folder, name, files) {
  for (const file of files) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const programs = [...text.matchAll(/^```js\n([\s\S]*?)^```/gm)]
      .map(([, program]) => program)
      .filter((program) => program.includes(`from '${name}'`));
    must(programs.length > 0, `${file} has no program that uses ${name}`);
    programs.forEach((program, i) => {
      writeFileSync(join(folder, `program-${i}.mjs`), program);
      node(folder, `program-${i}.mjs`);
    });
    say(`${file}: ${programs.length} programs run`);
  }
}

/** 6. Returns what was checked, or that it was not. */
function checkWithTools(packages) {
  const folder = emptyFolder('tools');
  const names = Object.entries(TOOLS).map(([name, version]) => `${name}@${version}`);
  const got = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...names], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 120_000,
  });
  if (got.status !== 0) return 'publint and arethetypeswrong could NOT be fetched: not checked with them';
  const tool = (name) => join(folder, 'node_modules/.bin', name);
  for (const { tarball } of packages) {
    run(tool('publint'), ['--strict', tarball], folder);
    run(tool('attw'), ['--profile', 'esm-only', tarball], folder);
  }
  return 'publint --strict and arethetypeswrong (esm-only) find nothing';
}

function checkLibrary() {
  writeDeclarations(ROOT);
  const packed = pack(ROOT);
  const manifest = json(join(ROOT, 'package.json'));
  checkFiles(packed, manifest);
  must(manifest.dependencies === undefined, 'the library depends on nothing');
  checkWeight(packed);
  if (options.weigh) weigh(packed);
  const folder = emptyFolder('library');
  if (options.quick) {
    unpack(packed, folder);
    checkEntries(manifest, folder);
    return packed;
  }
  npm(folder, 'install', '--offline', '--no-audit', '--no-fund', packed.tarball);
  checkEntries(manifest, folder);
  checkPrograms(folder, manifest.name, ['README.md', 'docs/library.md', 'docs/slab.md']);
  compile(folder, { 'consumer.ts': CONSUMER }, SETTINGS);
  return packed;
}

/** What each room comes to, code and declarations, each as one compressed stream. */
function weigh(packed) {
  const folder = emptyFolder('weigh');
  unpack(packed, folder);
  const lib = join(folder, 'node_modules', packed.name, 'lib');
  const paths = readdirSync(lib, { recursive: true, encoding: 'utf8' });
  for (const room of readdirSync(lib).filter((each) => !each.includes('.')))
    for (const kind of ['.js', '.d.ts']) {
      const texts = paths
        .filter((path) => path.startsWith(room) && path.endsWith(kind))
        .map((path) => readFileSync(join(lib, path)));
      say(`${kib(gzipSync(Buffer.concat(texts), { level: 9 }).length).padStart(11)}  lib/${room}, ${kind}`);
    }
}

// ---- slablab-cli ---------------------------------------------------------------------------------------------------------------

const CLI_CONSUMER = `import { compare, Machine, steadyWorkload } from 'slablab-cli';
import { parseWhatIf, type ReplayResult } from 'slablab-cli/lab';
import { detectFormat } from 'slablab-cli/trace';
import { slabinfoRows } from 'slablab-cli/text';

export const machine: Machine = Machine.create();
export { compare, detectFormat, parseWhatIf, type ReplayResult, slabinfoRows, steadyWorkload };
`;

function checkCli() {
  try {
    run(process.execPath, [join(ROOT, 'tools/pack-cli.mjs'), '--any'], ROOT);
    const packed = pack(CLI);
    const manifest = json(join(CLI, 'package.json'));
    checkFiles(packed, manifest);
    must(
      manifest.version === json(join(ROOT, 'package.json')).version,
      'the packages have different versions',
    );
    const folder = emptyFolder('cli');
    unpack(packed, folder);
    checkEntries(manifest, folder);
    checkPrograms(folder, manifest.name, ['docs/compare.md', 'docs/iommu.md', 'docs/slab.md']);
    compile(folder, { 'consumer.ts': CLI_CONSUMER }, SETTINGS);
    const command = join(folder, 'node_modules/slablab-cli', manifest.bin.slablab);
    const version = node(folder, command, '--version').trim();
    must(
      version === manifest.version,
      `slablab --version says '${version}', package.json ${manifest.version}`,
    );
    const compared = JSON.parse(node(folder, command, 'compare', 'steady', '--live', '30', '--json'));
    must(compared.strategies?.length > 1, 'slablab compare --json names no strategies');
    const page = packed.files.some(({ path }) => path.startsWith('dist/page/'));
    say(
      `slablab-cli: ${packed.files.length} files, ${kib(packed.size)} packed, ${page ? 'with' : 'without'} the page`,
    );
    return packed;
  } finally {
    run(process.execPath, [join(ROOT, 'tools/pack-cli.mjs'), '--clean'], ROOT);
  }
}

// ---- all -----------------------------------------------------------------------------------------------------------------------

must(existsSync(join(ROOT, 'lib/index.js')), 'lib/ is not there: npm run build');
const library = checkLibrary();
if (!options.quick) {
  const cli = checkCli();
  say(checkWithTools([library, cli]));
}
say(`check:package passed: slablab ${kib(library.size)} of ${limit} KiB`);
