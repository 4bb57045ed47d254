/**
 * A client in a process of its own, over few connections: known users and new ones at every assignment process (a new
 * one's first requests at the same moment), conversions, readiness, and a server that does nothing, whose
 * answers tell how busy the machine is. Ends when its parent says so, or is gone.
 */
import type { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ask, connections, type Seen } from './ask.ts';
import { type Entry, type EntryKind, type Known, type LoadOrder, nowMs } from './load-messages.ts';

const assignmentTimeoutMs = 5_000;
const eventTimeoutMs = 20_000;
const readyTimeoutMs = 2_000;
const knownPauseMs = 6;
const newPauseMs = 8;
const eventPauseMs = 10;
const quietPauseMs = 8;
const readyPauseMs = 100;
const nEventLanes = 2;

const entries: Entry[] = [];
const open: Known[] = [];
let isStopped = false;

process.once('disconnect', () => process.exit(0));
process.once('message', async (order: LoadOrder) => {
  const known = await makeKnown(order);
  const quietUrl = await startQuietServer();
  const lanes = [
    ...order.assignments.map((_, process) => askKnown(order, known, process)),
    askNew(order),
    ...Array.from({ length: nEventLanes }, () => convert(order)),
    askQuiet(quietUrl),
    ...[...order.assignments, ...order.ingests, ...order.others].map(askReady),
  ];
  process.once('message', async () => {
    isStopped = true;
    await Promise.all(lanes);
    process.send?.({ entries, known }, () => process.exit(0));
  });
  process.send?.('loading');
});

async function makeKnown(order: LoadOrder): Promise<Known[]> {
  const known: Known[] = [];
  const lanes = order.assignments.map(async (url, process) => {
    const agent = connections(4);
    const users = Array.from(
      { length: order.nKnown / order.assignments.length },
      (_, n) => `known-${process}-${n}`,
    );
    for (let from = 0; from < users.length; from += 4) {
      const made = users
        .slice(from, from + 4)
        .map((userId) => assign(agent, order, url, process, 'known', userId));
      known.push(...(await Promise.all(made)).filter((one) => one !== undefined));
    }
    agent.destroy();
  });
  await Promise.all(lanes);
  return known;
}

async function askKnown(order: LoadOrder, known: readonly Known[], process: number): Promise<void> {
  const agent = connections(1);
  // From both ends, so that each process meets users of the other one all the time.
  for (let n = 0; !isStopped; n += 1) {
    const place = n % known.length;
    const { userId } = known[process === 0 ? known.length - 1 - place : place]!;
    await assign(agent, order, order.assignments[process]!, process, 'known', userId);
    await delay(knownPauseMs);
  }
  agent.destroy();
}

async function askNew(order: LoadOrder): Promise<void> {
  const agents = order.assignments.map(() => connections(1));
  for (let n = 0; !isStopped; n += 1) {
    const asked = order.assignments.map((url, process) =>
      assign(agents[process]!, order, url, process, 'new', `new-${n}`),
    );
    const [first] = await Promise.all(asked);
    if (first) open.push(first);
    await delay(newPauseMs);
  }
  for (const agent of agents) agent.destroy();
}

async function assign(
  agent: Agent,
  { apiKey, experimentId }: LoadOrder,
  url: string,
  process: number,
  kind: EntryKind,
  userId: string,
): Promise<Known | undefined> {
  const atMs = nowMs();
  const seen = await ask(agent, {
    url: `${url}/assignments`,
    headers: { 'x-api-key': apiKey },
    body: { experimentId, userId },
    timeoutMs: assignmentTimeoutMs,
  });
  const { assignmentId, treatment } = seen.body?.data ?? {};
  const entry = { ...describe(seen, kind, atMs, process), userId, assignmentId, treatmentId: treatment?.id };
  entries.push(entry);
  return seen.status === 200 ? { userId, assignmentId, treatmentId: treatment.id } : undefined;
}

async function convert({ ingests, apiKey }: LoadOrder): Promise<void> {
  const agent = connections(1);
  for (let n = 0; !isStopped; n += 1) {
    const process = n % ingests.length;
    const assigned = open.shift();
    if (assigned) {
      const atMs = nowMs();
      const seen = await ask(agent, {
        url: `${ingests[process]}/events`,
        headers: { 'x-api-key': apiKey },
        body: { assignmentId: assigned.assignmentId, eventType: 'CONVERSION' },
        timeoutMs: eventTimeoutMs,
      });
      const { userId, assignmentId } = assigned;
      entries.push({
        ...describe(seen, 'event', atMs, process),
        userId,
        assignmentId,
        eventId: seen.body?.data?.id,
      });
    }
    await delay(eventPauseMs);
  }
  agent.destroy();
}

async function askQuiet(url: string): Promise<void> {
  const agent = connections(1);
  while (!isStopped) {
    const atMs = nowMs();
    const seen = await ask(agent, { url, body: {}, timeoutMs: assignmentTimeoutMs });
    entries.push(describe(seen, 'quiet', atMs, 0));
    await delay(quietPauseMs);
  }
  agent.destroy();
}

async function askReady(url: string, process: number): Promise<void> {
  const agent = connections(1);
  while (!isStopped) {
    const atMs = nowMs();
    const seen = await ask(agent, { url: `${url}/readyz`, method: 'GET', timeoutMs: readyTimeoutMs });
    entries.push(describe(seen, 'ready', atMs, process));
    await delay(readyPauseMs);
  }
  agent.destroy();
}

function describe(seen: Seen, kind: EntryKind, atMs: number, process: number): Entry {
  const { status, headers, body, tookMs } = seen;
  const recorded = headers['x-recorded'];
  const retryAfter = headers['retry-after'];
  return {
    ...{ kind, atMs, tookMs, status, process },
    ...(typeof recorded === 'string' ? { recorded } : {}),
    ...(typeof retryAfter === 'string' ? { retryAfter } : {}),
    ...(status === 200 || status === 201 ? {} : { error: JSON.stringify(body).slice(0, 300) }),
  };
}

function startQuietServer(): Promise<string> {
  const worker = new Worker(new URL('./quiet-server.ts', import.meta.url));
  worker.unref();
  return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
}
