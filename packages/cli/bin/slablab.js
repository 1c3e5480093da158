#!/usr/bin/env node
// In the package the program lies beside this folder; in a clone of the repository, where the build left it.
import { existsSync } from 'node:fs';

const PLACES = ['../dist/cli/main.js', '../../../dist/cli/main.js'];
const main = PLACES.map((place) => new URL(place, import.meta.url)).find((url) => existsSync(url));
if (main === undefined) {
  process.stderr.write('slablab: it is not built\n  npm run build\n');
  process.exit(1);
}
await import(main.href);
