/** An event in a sentence or two: who asks or gives back, what, where it lies, and what comes or goes with it. */
import { formatAddress, formatBytes } from '../../base/index.js';
import { AGAIN, SLAB_PAGES, type Trace, UNSEEN } from '../../trace/index.js';
import type { EventAt } from './look.js';

interface EventFacts {
  readonly trace: Trace;
  readonly op: number;
  readonly slot: number;
  /** Bytes, of the machine. */
  readonly pageSize: number;
}

export function eventWords(event: Omit<EventAt, 'words'>, facts: EventFacts): string {
  const { trace, op, slot } = facts;
  switch (event.kind) {
    case 'alloc':
      return `${who(event)} allocates ${allocation(event)}${slabWords(event)}`;
    case 'free':
      return `${who(event)} frees ${(op & UNSEEN) === 0 ? freed(event) : unseen(event, op)}${slabWords(event)}`;
    case 'page alloc':
    case 'page free':
      return pagesWords(event, facts);
    case 'mark': {
      const mark = trace.marks.find(({ row }) => row === event.row);
      return mark === undefined ? 'A mark.' : `The mark “${mark.text}”.`;
    }
    case 'lost':
      return slot > 0 ? `The recorder lost ${slot} events here.` : 'The recorder lost events here.';
    case 'none':
      return 'Nothing happens: a free of NULL, an allocation that failed, or an event that repeats another.';
  }
}

function who({ site, comm, pid, cpu }: Omit<EventAt, 'words'>): string {
  return `${site === '' ? 'somebody' : site} (${comm}, ${pid}, CPU ${cpu})`;
}

function place({ address, index }: Omit<EventAt, 'words'>): string {
  const at = `at ${formatAddress(address)}`;
  return index === null ? at : `object ${index} of its slab, ${at}`;
}

function allocation(event: Omit<EventAt, 'words'>): string {
  const { cache, bytes, address } = event;
  const what = `${formatBytes(bytes)}${cache === null ? ' of whole pages' : ` from ${cache}`}`;
  return address === 0 ? `${what}, and gets nothing.` : `${what}: ${place(event)}.`;
}

function freed(event: Omit<EventAt, 'words'>): string {
  const { cache, address, by } = event;
  if (address === 0) return 'what it had not got: there was no memory.';
  const what = cache === null ? place(event) : `an object of ${cache}: ${place(event)}`;
  return by === null ? `${what}.` : `${what}, which ${by.site} had allocated.`;
}

function unseen({ cache }: Omit<EventAt, 'words'>, op: number): string {
  const what = cache === null ? 'something' : `an object of ${cache}`;
  return op & AGAIN
    ? `${what} that was allocated without an event.`
    : `${what} from before the trace, or one that was allocated without an event.`;
}

function slabWords({ slabs }: Omit<EventAt, 'words'>): string {
  if (slabs === 0) return '';
  const many = Math.abs(slabs);
  return ` ${many === 1 ? 'A slab' : `${many} slabs`} ${slabs > 0 ? (many === 1 ? 'comes' : 'come') : many === 1 ? 'goes' : 'go'} with it.`;
}

function pagesWords(event: Omit<EventAt, 'words'>, { op, pageSize }: EventFacts): string {
  const { kind, order, address, comm, pid, cpu } = event;
  const count = order === 0 ? 'A page' : `A block of ${2 ** order} pages`;
  const did = kind === 'page alloc' ? 'is allocated' : 'is freed';
  const task = `(${comm}, ${pid}, CPU ${cpu})`;
  if (op & SLAB_PAGES)
    return `${count} ${did} for a slab ${task}: what this machine's slabs take is its own business.`;
  if (kind === 'page free' && op & UNSEEN)
    return `${count} ${did} ${task} that was allocated before the trace.`;
  if (address === 0) return `${count} ${did} ${task}: not in this machine.`;
  return `${count} ${did} ${task}: ${formatBytes(pageSize * 2 ** order)} at ${formatAddress(address)}.`;
}
