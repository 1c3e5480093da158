/**
 * # The page, served to one's own machine
 *
 *     slablab open boot.txt.gz ─▸ http://127.0.0.1:PORT/?open=files/boot.txt.gz
 *                                   /                  the built page (dist/page)
 *                                   /files/boot.txt.gz the file as it lies on disk; standard input as it comes
 *
 * It listens on the loopback address alone and answers no name but that and localhost, so that no page of another site gets at the files by
 * a name of its own that leads here. Its headers let the page use a SharedArrayBuffer (COOP, COEP), and let it load and send nothing
 * elsewhere (CSP).
 */
import { createReadStream, existsSync, readdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ArgumentError } from '../base/index.js';
import type { Pieces } from '../trace/index.js';
import { TempFile } from './spool.js';

const LOOPBACK = '127.0.0.1';
const NAMES: readonly string[] = [LOOPBACK, 'localhost', '[::1]'];
const FILES = 'files/';
/** Names, in the answer with a file, where the page can ask why its bytes broke off: a stream that breaks cannot say so itself. */
const WHY_HEADER = 'Slablab-Why';
const WHY = '?why';
const PIECE_BYTES = 1 << 20;

const TYPES: ReadonlyMap<string, string> = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
  ['.json', 'application/json'],
]);

const HEADERS: Readonly<Record<string, string>> = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy': "default-src 'self'; img-src 'self' data:; worker-src 'self'; base-uri 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-cache',
};

/** A file that the page may fetch, under a name of its own. */
export interface ServedFile {
  readonly name: string;
  /** Bytes; undefined where nobody knows yet. */
  readonly size: number | undefined;
  /** From the first on; can be asked for again. Throws what its source threw, behind the bytes in front of that. */
  pieces(): Pieces;
}

/** Why the bytes of a file broke off, by its name, for the page to ask. */
type Failures = Map<string, string>;

/** A server of the page that runs. */
export interface PageServer {
  /** Leads to the page, which opens the files. */
  readonly url: string;
  /** Resolves when nothing is open any more. */
  close(): Promise<void>;
}

/** What is served, and where. */
export interface PageServerOptions {
  /** The built page. */
  readonly folder: string;
  readonly files: readonly ServedFile[];
  /** 0 for one that is free. */
  readonly port: number;
}

/** Whether there is a page in this folder. */
export function isBuiltPage(folder: string): boolean {
  return existsSync(join(folder, 'index.html'));
}

/** Throws ArgumentError where the port is taken or not available. */
export async function servePage({ folder, files, port }: PageServerOptions): Promise<PageServer> {
  // What is not in this list when it begins is not served: no path of a request is ever looked up on disk.
  const parts = new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.path, entry.name))
      .map((path) => [path.slice(folder.length).replaceAll('\\', '/').replace(/^\/+/, ''), path]),
  );
  const byName = new Map(files.map((file) => [file.name, file]));
  const failures: Failures = new Map();
  const server = createServer((request, response) => {
    // A stream that breaks is cut off, so that nobody takes its bytes for all of them.
    answer(request, response, { parts, files: byName, failures }).catch(() => response.destroy());
  });
  await listening(server, port);
  const open = files.map(({ name }) => `open=${encodeURIComponent(`${FILES}${encodeURIComponent(name)}`)}`);
  const query = open.length === 0 ? '' : `?${open.join('&')}`;
  return {
    url: `http://${LOOPBACK}:${(server.address() as AddressInfo).port}/${query}`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      const why =
        code === 'EADDRINUSE' ? 'another program has it' : code === 'EACCES' ? 'not permitted' : message;
      reject(new ArgumentError(`port ${port} is not available: ${why}; name another, or 0 for any`));
    });
    server.listen(port, LOOPBACK, resolve);
  });
}

interface Served {
  readonly parts: ReadonlyMap<string, string>;
  readonly files: ReadonlyMap<string, ServedFile>;
  readonly failures: Failures;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { parts, files, failures }: Served,
): Promise<void> {
  const refuse = (status: number, why: string) => {
    response.writeHead(status, { ...HEADERS, 'Content-Type': 'text/plain; charset=utf-8' });
    response.end(`${why}\n`);
  };
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  if (!NAMES.includes(host)) return refuse(403, 'this page answers to 127.0.0.1 and localhost');
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(405, 'GET and HEAD only');
  const path = pathOf(request.url ?? '/');
  const file = path?.startsWith(FILES) ? files.get(path.slice(FILES.length)) : undefined;
  const part = parts.get(path === '' ? 'index.html' : (path ?? ''));
  if (file === undefined && part === undefined) return refuse(404, 'there is no such file');
  if (file !== undefined && request.url?.endsWith(WHY)) return refuse(200, failures.get(file.name) ?? '');
  const type = (part !== undefined && TYPES.get(extname(part))) || 'application/octet-stream';
  response.writeHead(200, {
    ...HEADERS,
    'Content-Type': type,
    ...(file?.size !== undefined && { 'Content-Length': file.size }),
    ...(file !== undefined && { [WHY_HEADER]: `/${FILES}${encodeURIComponent(file.name)}${WHY}` }),
  });
  if (request.method === 'HEAD') return void response.end();
  // Whoever asked may go away in the middle.
  const bytes = file === undefined ? createReadStream(part!) : Readable.from(told(file, failures));
  await pipeline(bytes, response);
}

/** A file's pieces. Where they break, why is known before whoever reads them can ask. */
async function* told(file: ServedFile, failures: Failures): Pieces {
  failures.delete(file.name);
  try {
    yield* file.pieces();
  } catch (error) {
    failures.set(file.name, error instanceof Error ? error.message : String(error));
    throw error;
  }
}

/** Without the first slash and the query; undefined for what cannot be decoded. */
function pathOf(url: string): string | undefined {
  try {
    return decodeURIComponent(new URL(url, `http://${LOOPBACK}`).pathname.slice(1));
  } catch {
    return undefined;
  }
}

// ---- what is served ------------------------------------------------------------------------------------------------------

/** A file on disk. */
export function servedFile(path: string, name: string, size: number | undefined): ServedFile {
  return { name, size, pieces: () => createReadStream(path, { highWaterMark: PIECE_BYTES }) };
}

/**
 * A stream that comes once, such as standard input: its bytes go into a temporary file as they come, and whoever asks gets them from there,
 * as far as they are, then waits for more. So the page can be loaded again.
 */
export function servedStream(stream: AsyncIterable<Uint8Array>, name: string): ServedFile {
  const temp = new TempFile();
  let isOver = false;
  /** What the stream threw, or the temporary file, in a box: anything can be thrown. */
  let failure: { readonly error: unknown } | undefined;
  let wake: () => void = () => {};
  let more = new Promise<void>((resolve) => {
    wake = resolve;
  });
  const tell = () => {
    wake();
    more = new Promise((resolve) => {
      wake = resolve;
    });
  };
  const reading = async () => {
    try {
      for await (const piece of stream) {
        temp.write(piece);
        tell();
      }
    } catch (error) {
      failure = { error };
    }
    isOver = true;
    tell();
  };
  // What it fails with is kept for whoever asks for the bytes.
  void reading();
  return {
    name,
    size: undefined,
    async *pieces() {
      for (let at = 0; ; ) {
        const next = more;
        const bytes = temp.bytes();
        if (at < bytes.size) {
          const piece = bytes.read(at, Math.min(PIECE_BYTES, bytes.size - at)).slice();
          at += piece.length;
          yield piece;
        } else if (failure !== undefined) throw failure.error;
        else if (isOver) return;
        else await next;
      }
    },
  };
}
