// Puts the examples of the page beside it, into dist/page/examples/: a recorded boot as a .slt with its snapshots, and the recorded workload
// of an IOMMU's tables. They are fetched when somebody clicks on one. The last step of `npm run build:page`.
import { copyFileSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { convertTrace, prepareOutput } from '../dist/node/index.js';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const examples = 'dist/page/examples';

mkdirSync(at(examples), { recursive: true });
const trace = await prepareOutput(at(`${examples}/boot-find.slt`)).save((write) =>
  convertTrace(at('truth/traces/boot-find-public.txt.gz'), write),
);
copyFileSync(
  at('truth/traces/boot-find-public.snapshots.json.gz'),
  at(`${examples}/boot-find.snapshots.json.gz`),
);
copyFileSync(at('truth/v7s-workload.json.gz'), at(`${examples}/v7s-workload.json.gz`));
console.log(
  `${examples}: a boot of ${trace.head.rows} events, ${trace.bytes} bytes, with its snapshots; a workload`,
);
