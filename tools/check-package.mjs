// Packs slablab as `npm publish` would, unpacks it into an empty folder, and uses it there as somebody who installed it:
//
//     node tools/check-package.mjs            what is in dist/ now
//     node tools/check-package.mjs --weigh    also says which folder weighs what
//
//   1. every file that package.json's exports and bin name is in the package, with its declarations, and no test is;
//   2. every export can be imported, by its name, from an ES module, and the main one has what the README uses;
//   3. the README's library section runs as it stands;
//   4. `slablab --version` answers.
//
// Dependencies are linked from this repository's node_modules: nothing is fetched. Closes with the packed size, and without the recording.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const RECORDINGS = 'truth';
const SECTION = 'The engine as a library';
const KIB = 1024;
/** What the package should weigh without recordings. It is said, and does not fail. */
const LIMIT = 150 * KIB;

const folder = mkdtempSync(join(tmpdir(), 'slablab-package-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

function must(holds, message) {
  if (holds) return;
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

const run = (program, args, cwd = folder) =>
  execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const kib = (bytes) => `${(bytes / KIB).toFixed(1)} KiB`;

/** What a folder's files come to, as one compressed stream. */
function packed(path) {
  return gzipSync(
    execFileSync('tar', ['c', path], { cwd: join(folder, 'node_modules'), maxBuffer: 1 << 28 }),
    { level: 9 },
  ).length;
}

// ---- pack and unpack -----------------------------------------------------------------------------------------------------------

const [{ filename, size, files }] = JSON.parse(
  run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], ROOT),
);
const modules = join(folder, 'node_modules');
mkdirSync(modules);
run('tar', ['xzf', filename, '-C', modules]);
run('mv', ['package', 'slablab'], modules);
writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
const home = join(modules, 'slablab');
const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
for (const dependency of Object.keys(manifest.dependencies))
  symlinkSync(join(ROOT, 'node_modules', dependency), join(modules, dependency));

// ---- 1. what is in it ----------------------------------------------------------------------------------------------------------

const wanted = [
  ...Object.values(manifest.exports).flatMap((entry) =>
    typeof entry === 'string' ? [entry] : Object.values(entry),
  ),
  ...Object.values(manifest.bin),
];
for (const path of wanted)
  must(existsSync(join(home, path)), `${path} is named in package.json and not in the package`);
const strange = files
  .map(({ path }) => path)
  .filter(
    (path) => /\.test\.|\.map$|\.tsbuildinfo$|\.ts$/.test(path) && !/^(?!.*\.test\.).*\.d\.ts$/.test(path),
  );
must(strange.length === 0, `these files are no part of a package: ${strange.join(', ')}`);

// ---- 2. exports ----------------------------------------------------------------------------------------------------------------

const specifiers = Object.keys(manifest.exports).map((key) => key.replace(/^\./, 'slablab'));
const program = specifiers
  .map((name) => {
    const json = name.endsWith('.json');
    return `{ const all = await import('${name}'${json ? ", { with: { type: 'json' } }" : ''});
  if (Object.keys(all).length === 0) throw new Error('${name} exports nothing'); console.log('${name}', Object.keys(all).length); }`;
  })
  .join('\n');
writeFileSync(join(folder, 'exports.mjs'), program);
const counted = run(process.execPath, ['--no-warnings', 'exports.mjs']).trim().split('\n');
must(counted.length === specifiers.length, `imported ${counted.length} of ${specifiers.length} exports`);
for (const each of counted) process.stdout.write(`${each} names\n`);

// ---- 3. the README -------------------------------------------------------------------------------------------------------------

const readme = readFileSync(join(home, 'README.md'), 'utf8');
const section = readme.split(/^## /m).find((each) => each.startsWith(SECTION));
must(section !== undefined, `the README has no section "${SECTION}"`);
const programs = [...section.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, text]) => text);
must(programs.length > 0, 'the library section of the README has no program');
programs.forEach((text, i) => {
  writeFileSync(join(folder, `readme-${i}.mjs`), text);
  const out = run(process.execPath, [`readme-${i}.mjs`]);
  process.stdout.write(
    `README, library, program ${i + 1} of ${programs.length}: ${out.trim().split('\n').join(' | ')}\n`,
  );
});

// ---- 4. the command ------------------------------------------------------------------------------------------------------------

const version = run(process.execPath, [join(home, manifest.bin.slablab), '--version']).trim();
must(
  version.includes(manifest.version),
  `slablab --version says '${version}', package.json ${manifest.version}`,
);

// ---- its weight ----------------------------------------------------------------------------------------------------------------

if (process.argv.includes('--weigh')) {
  for (const room of readdirSync(join(home, 'dist')))
    process.stdout.write(`${kib(packed(`slablab/dist/${room}`)).padStart(11)}  dist/${room}\n`);
}
process.stdout.write(`${files.length} files, ${kib(size)} packed`);
rmSync(join(home, RECORDINGS), { recursive: true, force: true });
const light = packed('slablab');
const verdict = light <= LIMIT ? 'within' : 'OVER';
process.stdout.write(`, ${kib(light)} without ${RECORDINGS}/: ${verdict} the limit of ${kib(LIMIT)}\n`);
