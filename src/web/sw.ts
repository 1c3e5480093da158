/**
 * The service worker: what the page is made of is kept at the first visit, so that it opens without a network from then on. Every build has
 * files with names of their own and a version of its own; the files of the one before go when the new one is there. Examples are kept
 * when somebody opens them. What is dropped onto the page never comes here: it is no request.
 */

/** What a service worker's global scope has, as far as it is used here. */
interface ExtendableEvent extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface WorkerScope {
  addEventListener(type: 'install' | 'activate', listen: (event: ExtendableEvent) => void): void;
  addEventListener(type: 'fetch', listen: (event: FetchEvent) => void): void;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
  readonly registration: { readonly scope: string };
}

/** Put in by the build: the names of its files, and what tells it from others. */
declare const __FILES__: readonly string[];
declare const __VERSION__: string;

const scope = globalThis as unknown as WorkerScope;
const FILES: readonly string[] = __FILES__;
const KEPT = `slablab-${__VERSION__}`;
const EXAMPLES = 'slablab-examples';

scope.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(KEPT)
      .then((kept) => kept.addAll(['./', ...FILES]))
      .then(() => scope.skipWaiting()),
  );
});

scope.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) =>
        Promise.all(
          names
            .filter((name) => name.startsWith('slablab-') && name !== KEPT && name !== EXAMPLES)
            .map((name) => caches.delete(name)),
        ),
      )
      .then(() => scope.clients.claim()),
  );
});

scope.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || !url.href.startsWith(scope.registration.scope)) return;
  const path = url.href.slice(scope.registration.scope.length).replace(/[?#].*$/s, '');
  if (path.startsWith('examples/')) return event.respondWith(networkFirst(request));
  if (path === '' || FILES.includes(path)) event.respondWith(keptFirst(request, path));
});

/** Files of a build never change. The page itself is asked for with all sorts of queries. */
async function keptFirst(request: Request, path: string): Promise<Response> {
  const kept = await caches.open(KEPT);
  return (await kept.match(path === '' ? './' : request, { ignoreSearch: true })) ?? fetch(request);
}

async function networkFirst(request: Request): Promise<Response> {
  const kept = await caches.open(EXAMPLES);
  try {
    const response = await fetch(request);
    if (response.ok) await kept.put(request, response.clone());
    return response;
  } catch (error) {
    const response = await kept.match(request);
    if (response === undefined) throw error;
    return response;
  }
}
