import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';
import { ArgumentError } from '../base/index.js';
import { isBuiltPage, type PageServer, servedFile, servedStream, servePage } from './page-server.js';

const folder = mkdtempSync(join(tmpdir(), 'slablab-page-'));
mkdirSync(join(folder, 'page/assets'), { recursive: true });
writeFileSync(join(folder, 'page/index.html'), '<p>the page</p>');
writeFileSync(join(folder, 'page/assets/engine.js'), 'engine');
writeFileSync(join(folder, 'secret.txt'), 'secret');
writeFileSync(join(folder, 'boot.txt'), 'events');
after(() => rmSync(folder, { recursive: true }));
const page = join(folder, 'page');

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** A request as it is written, whatever a browser would make of its path. */
function get(
  server: PageServer,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<Answer> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, headers, method }, (response) => {
      let body = '';
      response.on('data', (piece) => {
        body += piece;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    asked.on('error', reject);
    asked.end();
  });
}

async function served(run: (server: PageServer) => Promise<void>): Promise<void> {
  const file = servedFile(join(folder, 'boot.txt'), 'boot ü.txt', 6);
  const server = await servePage({ folder: page, files: [file], port: 0 });
  try {
    await run(server);
  } finally {
    await server.close();
  }
}

test('the page and its files are there, isolated from other sites, and nothing beside them', () =>
  served(async (server) => {
    const index = await get(server, '/');
    assert.equal(index.body, '<p>the page</p>');
    assert.equal(index.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(index.headers['cross-origin-opener-policy'], 'same-origin');
    assert.equal(index.headers['cross-origin-embedder-policy'], 'require-corp');
    assert.match(String(index.headers['content-security-policy']), /default-src 'self'/);
    assert.equal((await get(server, '/assets/engine.js?x')).body, 'engine');
    // The address that is printed leads to the file.
    const query = new URL(server.url).searchParams.get('open')!;
    const file = await get(server, `/${query}`);
    assert.deepEqual([file.body, file.headers['content-length']], ['events', '6']);
    for (const path of [
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/assets/..%2f..%2fsecret.txt',
      '/files/boot.txt',
      '/%',
      '/files/../../secret.txt',
    ])
      assert.equal((await get(server, path)).status, 404, path);
  }));

test('it answers under no other name, and takes nothing', () =>
  served(async (server) => {
    assert.equal((await get(server, '/', { host: 'example.org' })).status, 403);
    assert.equal((await get(server, '/', { host: 'localhost:1' })).status, 200);
    assert.equal((await get(server, '/', {}, 'POST')).status, 405);
    const { status, body } = await get(server, '/', {}, 'HEAD');
    assert.deepEqual([status, body], [200, '']);
  }));

test('a stream is given as it comes, to each who asks, also afterwards', async () => {
  const stream = new PassThrough();
  const file = servedStream(stream, 'standard-input');
  const read = async () => {
    const pieces: Uint8Array[] = [];
    for await (const piece of file.pieces()) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  };
  stream.write('first ');
  const [early, alsoEarly] = [read(), read()];
  await new Promise(setImmediate);
  stream.write('second ');
  await new Promise(setImmediate);
  const late = read();
  stream.end('third');
  assert.deepEqual(await Promise.all([early, alsoEarly, late]), Array(3).fill('first second third'));
  assert.equal(await read(), 'first second third');
});

test('a port that is taken is said so', () =>
  served(async (server) => {
    const port = Number(new URL(server.url).port);
    await assert.rejects(servePage({ folder: page, files: [], port }), (error) => {
      assert.ok(error instanceof ArgumentError);
      assert.match(error.message, new RegExp(`port ${port} is not available: another program has it`));
      return true;
    });
  }));

test('a folder without a page is told from one with it', () => {
  assert.deepEqual([isBuiltPage(page), isBuiltPage(folder)], [true, false]);
});

test('a stream that breaks is an error behind its bytes, for the server too, which says why', async () => {
  async function* breaking(): AsyncIterable<Uint8Array> {
    yield Buffer.from('abc');
    throw new Error('EIO: the pipe broke');
  }
  const file = servedStream(breaking(), 'standard input');
  const seen: string[] = [];
  const reading = (async () => {
    for await (const piece of file.pieces()) seen.push(Buffer.from(piece).toString());
  })();
  await assert.rejects(reading, /EIO: the pipe broke/);
  assert.deepEqual(seen, ['abc']);
  const server = await servePage({ folder: page, files: [file], port: 0 });
  try {
    const path = new URL(server.url).searchParams.get('open')!;
    const response = await fetch(new URL(path, server.url));
    await assert.rejects(response.text());
    const why = await fetch(new URL(response.headers.get('slablab-why')!, server.url));
    assert.equal(await why.text(), 'EIO: the pipe broke\n');
  } finally {
    await server.close();
  }
});
