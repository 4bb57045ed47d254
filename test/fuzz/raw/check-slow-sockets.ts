import type { Socket } from 'node:net';
import type { Test } from 'tap';
import type { RunningPlatform } from '../../platform/kinds.ts';
import { adminEmail, createFuzzClient } from '../fuzz-client.ts';
import { type Exchange, exchange } from './exchange.ts';

/** Promised: a socket that is slow is cut within 15 s. A busy machine finds it out later. */
const promisedMs = 15_000;
const busyMs = 10_000;
const trickleMs = 500;
/** Of each way to be slow. */
const nEach = 8;
/** While slow ones are open somebody else is answered within this. */
const answeredWithinMs = 10_000;

interface Slowness {
  readonly name: string;
  /** Sent at once. */
  readonly start: string;
  /** Sent again and again, a piece every `trickleMs`; nothing more is sent when absent. */
  readonly piece?: string;
}

const post = 'POST /assignments HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
const slownesses: readonly Slowness[] = [
  { name: 'nothing at all', start: '' },
  { name: 'a head that stops', start: 'GET /experiments HTTP/1.1\r\nHost: a\r\n' },
  { name: 'a head that trickles', start: 'GET /experiments HTTP/1.1\r\n', piece: 'X-A: b\r\n' },
  { name: 'empty lines', start: '\r\n', piece: '\r\n' },
  { name: 'a small body that stops', start: `${post}Content-Length: 100\r\n\r\n{` },
  { name: 'a small body that trickles', start: `${post}Content-Length: 1000\r\n\r\n{`, piece: ' ' },
  { name: 'a large body that trickles', start: `${post}Content-Length: 900000\r\n\r\n{`, piece: ' ' },
  {
    name: 'chunks that trickle',
    start: `${post}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`,
    piece: '1\r\n \r\n',
  },
  {
    name: 'a body that waits to be called for',
    start: `${post}Content-Length: 9\r\nExpect: 100-continue\r\n\r\n`,
  },
];

/** Slowloris, in each of its ways and all at once: every socket is cut in time, and nobody else notices. */
export async function checkSlowSockets(t: Test, platform: RunningPlatform): Promise<void> {
  const slow = slownesses.flatMap((slowness) =>
    Array.from({ length: nEach }, async () => ({
      name: slowness.name,
      seen: await be(slowness, platform.url),
    })),
  );
  let isOver = false;
  const others = askMeanwhile(platform, () => isOver);
  const ended = await Promise.all(slow);
  isOver = true;
  const late = ended.filter(({ seen }) => seen.isHung).map(({ name }) => name);
  t.strictSame(late, [], `${ended.length} slow sockets are cut`);
  const longestMs = Math.max(...ended.map(({ seen }) => seen.openMs));
  t.comment(
    `${platform.kind}: ${ended.length} slow sockets, the last was cut after ${longestMs.toFixed(0)} ms`,
  );
  const wrong = ended.filter(({ seen }) => !/^(HTTP\/1\.1 (100|400|401|408) |$)/.test(seen.received));
  t.strictSame(wrong, [], 'each is told why, or just cut');
  const { statuses, longestMs: answeredMs } = await others;
  t.strictSame(statuses, [200], 'others are answered meanwhile');
  t.ok(answeredMs < answeredWithinMs, `others waited ${answeredMs.toFixed(0)} ms at most`);
}

function be({ start, piece }: Slowness, url: string): Promise<Exchange> {
  const write = (socket: Socket): void => {
    if (start !== '') socket.write(start, 'latin1');
    if (piece === undefined) return;
    const timer = setInterval(() => socket.write(piece, 'latin1'), trickleMs);
    socket.on('close', () => clearInterval(timer));
  };
  return exchange(url, { write, deadlineMs: promisedMs + busyMs });
}

async function askMeanwhile(
  platform: RunningPlatform,
  isOver: () => boolean,
): Promise<{ statuses: number[]; longestMs: number }> {
  const client = createFuzzClient(platform.url);
  const statuses = new Set<number>();
  let longestMs = 0;
  while (!isOver()) {
    const startedAt = performance.now();
    const headers = platform.sessionOf(adminEmail);
    const { status } = await client.send({ method: 'GET', path: '/experiments', headers, body: undefined });
    statuses.add(status);
    longestMs = Math.max(longestMs, performance.now() - startedAt);
  }
  await client.close();
  return { statuses: [...statuses], longestMs };
}
