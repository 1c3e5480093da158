// Installs and compiles what slablab is compared with. What cannot be had is named, with the reason, and left out.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const BENCH = fileURLToPath(new URL('..', import.meta.url));
/** Beside the installed packages: ignored as they are. */
const OUT = join(BENCH, 'node_modules', '.cache', 'alloc');

/** What stands in the way of an allocator; its message goes into the table. */
class Missing extends Error {}

/** Runs a program. Throws Missing if it is not there or fails. */
function run(program, args) {
  const { error, status, stderr, stdout } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (error?.code === 'ENOENT') throw new Missing(`${program} is not installed`);
  if (error !== undefined) throw new Missing(`${program}: ${error.message}`);
  if (status === 0) return stdout;
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const said = lines.find((line) => /error/i.test(line)) ?? lines[0] ?? `exit code ${status}`;
  throw new Missing(`${program}: ${said.replaceAll(BENCH, '').trim()}`);
}

/** { ...what `make` returns } or { missing: reason }. */
function attempt(make) {
  try {
    return make();
  } catch (error) {
    if (error instanceof Missing) return { missing: error.message };
    throw error;
  }
}

function json(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** The version of a package of npm that is installed in bench/, or undefined. */
function installed(name) {
  try {
    return json(join(BENCH, 'node_modules', name, 'package.json')).version;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Installs the peers of npm if one is not there in the version that bench/package.json names. */
export function installPeers(say) {
  const wanted = Object.entries(json(join(BENCH, 'package.json')).dependencies);
  const complete = () => wanted.every(([name, version]) => installed(name) === version);
  if (!complete()) {
    say('installing the peers of npm into bench/node_modules');
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund'];
    const npm = attempt(() => ({ said: run('npm', ['ci', '--prefix', BENCH, ...flags]) }));
    if (npm.missing !== undefined) say(`npm ci failed: ${npm.missing}`);
  }
  return Object.fromEntries(
    wanted.map(([name, version]) => [
      name,
      installed(name) === version ? { version } : { missing: 'not installed: npm ci --prefix bench failed' },
    ]),
  );
}

function firstLine(text) {
  return text.split('\n', 1)[0].trim();
}

/** The version of a package of Debian, or undefined elsewhere. */
function debianVersion(name) {
  const { status, stdout } = spawnSync('dpkg-query', ['-W', `-f=\${Version}`, name], { encoding: 'utf8' });
  return status === 0 && stdout !== '' ? stdout : undefined;
}

/** wasi-libc's malloc, which is dlmalloc, as a reactor: a module whose constructors run once, not at each call. */
function buildDlmalloc() {
  const source = join(OUT, 'nothing.c');
  const wasm = join(OUT, 'dlmalloc.wasm');
  // The library has all that is exported.
  writeFileSync(source, 'typedef int nothing;\n');
  const link = [
    '--export=malloc',
    '--export=free',
    '--import-memory',
    '--max-memory=4294967296',
    '--strip-all',
  ];
  const args = ['--target=wasm32-wasi', '-O2', '-mexec-model=reactor', `-Wl,${link.join(',')}`];
  const clang = firstLine(run('clang', ['--version']));
  run('clang', [...args, source, '-o', wasm]);
  const libc = debianVersion('wasi-libc');
  const version = libc === undefined ? clang : `wasi-libc ${libc}`;
  return { wasm: new WebAssembly.Module(readFileSync(wasm)), version, compiler: clang };
}

/** TLSF at its fastest: optimized for speed, assertions off. */
function buildTlsf(assemblyscript) {
  if (assemblyscript.missing !== undefined) throw new Missing(assemblyscript.missing);
  const wasm = join(OUT, 'tlsf.wasm');
  const asc = join(BENCH, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
  const flags = ['-O3', '--noAssert', '--runtime', 'minimal', '--importMemory'];
  run(process.execPath, [asc, join(HERE, 'tlsf.ts'), ...flags, '--outFile', wasm]);
  return { wasm: new WebAssembly.Module(readFileSync(wasm)), version: assemblyscript.version };
}

function buildNative(name, libraries = []) {
  const program = join(OUT, name);
  const args = [
    '-O2',
    '-pthread',
    `-D${name.toUpperCase()}`,
    join(HERE, 'native.c'),
    '-o',
    program,
    ...libraries,
  ];
  const compiler = firstLine(run('gcc', ['--version']));
  run('gcc', args);
  const { stdout } = spawnSync(program, { input: 'version\n', encoding: 'utf8' });
  return { program, version: stdout.trim(), compiler };
}

/** Everything that has to be compiled, by name: what it is, or why it is missing. */
export function buildPeers(npm) {
  mkdirSync(OUT, { recursive: true });
  return {
    dlmalloc: attempt(buildDlmalloc),
    tlsf: attempt(() => buildTlsf(npm.assemblyscript)),
    glibc: attempt(() => buildNative('glibc')),
    mimalloc: attempt(() => buildNative('mimalloc', ['-lmimalloc'])),
    freelist: attempt(() => buildNative('freelist')),
    nothing: attempt(() => buildNative('nothing')),
  };
}
