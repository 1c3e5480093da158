import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { InputError } from '../../base/index.js';
import { type OpenFile, openFile } from './files.js';

/** Asks a server that answers `/file` so, and says why at `/file?why`. */
async function opened(
  answer: (response: ServerResponse) => void,
  why: string,
  read: (file: OpenFile) => Promise<void>,
): Promise<void> {
  const server = createServer((request, response) => {
    if (request.url === '/file?why') response.end(why);
    else answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
  try {
    await read(await openFile({ name: 'boot.txt', url }));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function bytesOf({ pieces }: OpenFile): Promise<string> {
  let text = '';
  for await (const piece of pieces) text += new TextDecoder().decode(piece);
  return text;
}

const LINES = 'a kworker-1 [000] d....  1.000000: kfree: call_site=free ptr=0xffff888000001000\n'.repeat(
  2000,
);

test('bytes that break off are an error with the reason that the server has, packed or not', async () => {
  for (const bytes of [Buffer.from(LINES), gzipSync(LINES, { level: 0 })]) {
    const breaks = (response: ServerResponse) => {
      response.writeHead(200, { 'Slablab-Why': '/file?why' });
      // The client has the first bytes when the others fail to come.
      response.write(bytes.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 20));
    };
    await opened(breaks, 'EIO: the pipe broke\n', async (file) => {
      await assert.rejects(bytesOf(file), (error: unknown) => {
        assert.ok(error instanceof InputError, String(error));
        assert.match(error.message, /boot\.txt: breaks off after \d+ bytes: EIO: the pipe broke$/);
        return true;
      });
    });
  }
});

test('a server that gives no reason breaks off all the same, and one that ends is at its end', async () => {
  const breaks = (response: ServerResponse) => {
    response.write(LINES, () => setTimeout(() => response.destroy(), 20));
  };
  await opened(breaks, '', async (file) => {
    await assert.rejects(bytesOf(file), /boot\.txt: breaks off after \d+ bytes: ./);
  });
  await opened(
    (response) => response.end(LINES),
    '',
    async (file) => assert.equal(await bytesOf(file), LINES),
  );
});
