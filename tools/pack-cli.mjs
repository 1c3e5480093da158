// Puts what the package `slablab-cli` has into packages/cli/, where npm packs it, and takes it away again:
//
//     node tools/pack-cli.mjs             after `npm run build:page`, which builds everything
//     node tools/pack-cli.mjs --any       also without the page
//     node tools/pack-cli.mjs --clean
//
// It is lib/ with its declarations, as dist/, so that everything lies to everything else as in a clone; the recorded workload; and the
// description of what was recorded. While it lies there `npx slablab` in a clone runs it instead of the build: npm takes it away when it
// has packed (`postpack`).
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeDeclarations } from './pack-types.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PACKAGE = join(ROOT, 'packages/cli');
/** What is copied, there and here. */
const PARTS = [
  ['lib', 'dist'],
  ['dist/page', 'dist/page'],
  ['truth/README.md', 'truth/README.md'],
  ['truth/v7s-workload.json.gz', 'truth/v7s-workload.json.gz'],
  ['LICENSE', 'LICENSE'],
];

/**
 * The command as few files, of which each command loads what it needs: a hundred small ones take longer to find than to run. They lie as
 * deep as what they are made from, because they look for the rest of the package from where they are.
 */
async function bundleCommand() {
  const { build } = await import('vite');
  const { dependencies } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
  const outDir = join(PACKAGE, 'dist/cli');
  rmSync(outDir, { recursive: true, force: true });
  await build({
    configFile: false,
    logLevel: 'error',
    root: ROOT,
    build: {
      ssr: true,
      outDir,
      emptyOutDir: false,
      target: 'node20',
      minify: false,
      rollupOptions: {
        input: {
          main: join(ROOT, 'lib/cli/main.js'),
          'sweep-worker': join(ROOT, 'lib/node/sweep-worker.js'),
        },
        external: Object.keys(dependencies),
        output: { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
      },
    },
  });
}

for (const name of ['dist', 'truth', 'LICENSE'])
  rmSync(join(PACKAGE, name), { recursive: true, force: true });

const [how] = process.argv.slice(2);
if (how !== '--clean') {
  for (const [from, to] of PARTS) {
    if (how === '--any' && from === 'dist/page' && !existsSync(join(ROOT, from))) continue;
    if (!existsSync(join(ROOT, from))) throw new Error(`${from} is not there: npm run build:page`);
    mkdirSync(dirname(join(PACKAGE, to)), { recursive: true });
    const packed = (path) => !/\.d\.ts$|\.tsbuildinfo$/.test(path);
    cpSync(join(ROOT, from), join(PACKAGE, to), { recursive: true, filter: packed });
  }
  writeDeclarations(PACKAGE);
  await bundleCommand();
}
