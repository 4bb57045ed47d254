import { randomBytes } from 'node:crypto';
import { createConnection } from 'node:net';
import { hasNatsServer, startNats } from '@bandit/test-stores';
import { connect } from 'nats';
import type { Test } from 'tap';
import { createNatsBus, type NatsBus, type NatsBusOptions } from '../../src/index.ts';

const defaultUrl = 'nats://127.0.0.1:4222';
const probeMsMax = 2_000;
const streamBytes = 16_777_216;

/** TEST_NATS_URL, else the local default, else a server of the test's own; undefined where none of them can be had. */
export async function findNats(t: Test): Promise<string | undefined> {
  const url = process.env.TEST_NATS_URL ?? defaultUrl;
  if (await isReachable(url)) return url;
  if (!hasNatsServer()) return undefined;
  const server = await startNats();
  t.teardown(() => server.stop());
  return server.url;
}

/** Says loudly that NATS is missing; where CI_REQUIRE_STORES=1 that is a failure. */
export function reportMissing(t: Test): void {
  const reason = 'NATS is missing: no server at TEST_NATS_URL, and no nats-server is installed';
  if (process.env.CI_REQUIRE_STORES === '1') t.fail(`CI_REQUIRE_STORES=1, but ${reason}`);
  else {
    console.warn(`NOT TESTED ON NATS: ${reason}`);
    t.test('on NATS', { skip: reason }, () => undefined);
  }
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string;
  readonly details: Record<string, unknown>;
}

export function collectLog() {
  const lines: LogLine[] = [];
  const errors: string[] = [];
  const note = (level: LogLine['level']) => (details: object, message: string) => {
    lines.push({ level, message, details: details as Record<string, unknown> });
    if (level === 'error') errors.push(message);
  };
  return { lines, errors, log: { info: note('info'), warn: note('warn'), error: note('error') } };
}

export type OpenBus = (options?: Partial<NatsBusOptions>) => NatsBus;

/** Buses that share subjects and streams of their own; closed at teardown, the streams deleted. */
export function prepareBuses(t: Test, url: string) {
  const prefix = `test_${process.pid}_${randomBytes(6).toString('hex')}`;
  const { lines, errors, log } = collectLog();
  const opened: NatsBus[] = [];
  t.teardown(async () => {
    await Promise.all(opened.map((nats) => nats.close()));
    await deleteStreams(url, prefix);
  });
  const open: OpenBus = (options = {}) => {
    const bytes = { eventsBytesMax: streamBytes, recordsBytesMax: streamBytes };
    const nats = createNatsBus({ url, name: t.name, log, rng: Math.random, prefix, ...bytes, ...options });
    opened.push(nats);
    return nats;
  };
  return { open, lines, errors, prefix };
}

/** What a stream holds, oldest first, read by a client of its own. */
export async function readStream(url: string, stream: string) {
  const connection = await connect({ servers: hostOf(url) });
  try {
    const manager = await connection.jetstreamManager();
    const { state } = await manager.streams.info(stream);
    const stored = [];
    for (let seq = state.first_seq; seq <= state.last_seq; seq += 1)
      stored.push(await manager.streams.getMessage(stream, { seq }));
    return stored.map((message) => ({
      subject: message.subject,
      text: message.string(),
      header: (key: string) => message.header.get(key),
    }));
  } finally {
    await connection.close();
  }
}

async function deleteStreams(url: string, prefix: string): Promise<void> {
  if (!(await isReachable(url))) return;
  const connection = await connect({ servers: hostOf(url) });
  try {
    const manager = await connection.jetstreamManager();
    for (const stream of [`${prefix}_EVENTS`, `${prefix}_RECORDS`])
      await manager.streams.delete(stream).catch(() => undefined);
  } finally {
    await connection.close();
  }
}

function isReachable(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = createConnection(Number(port || 4222), hostname);
    const end = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.setTimeout(probeMsMax, () => end(false));
    socket.once('error', () => end(false));
    socket.once('connect', () => end(true));
  });
}

function hostOf(url: string): string {
  return new URL(url).host;
}
