// Builds the page of src/web/ into dist/page/: `npm run build:page`. Paths in it are relative, so that it works from any folder of any
// static host; `sw.js` is told every file that was built, and keeps them for a visit without a network.
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Puts the names of all that was built into the service worker, and a version that changes with them. */
function offlineFiles() {
  return {
    name: 'offline-files',
    // Behind what puts the page itself into the bundle.
    enforce: 'post',
    generateBundle(_, bundle) {
      const worker = bundle['sw.js'];
      const files = Object.keys(bundle).filter((name) => name !== 'sw.js' && !name.endsWith('.map'));
      // Names change with what is in them; the page itself has one name.
      const { source } = bundle['index.html'];
      const hash = createHash('sha256')
        .update([...files.sort(), source].join('\n'))
        .digest('hex');
      for (const placeholder of ['__FILES__', '__VERSION__'])
        if (!worker.code.includes(placeholder)) throw new Error(`sw.js has no place for ${placeholder}`);
      worker.code = worker.code
        .replaceAll('__FILES__', JSON.stringify(files))
        .replaceAll('__VERSION__', JSON.stringify(hash.slice(0, 12)));
    },
  };
}

export default defineConfig({
  root: here('src/web'),
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  worker: { format: 'es' },
  build: {
    outDir: here('dist/page'),
    emptyOutDir: true,
    target: 'es2023',
    modulePreload: { polyfill: false },
    rollupOptions: {
      // How long a build takes is the machine's business.
      checks: { pluginTimings: false },
      input: { index: here('src/web/index.html'), sw: here('src/web/sw.ts') },
      output: { entryFileNames: ({ name }) => (name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
  plugins: [offlineFiles()],
});
