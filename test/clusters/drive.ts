import { createRng, type SeededRng } from '@bandit/core';
import type { Journal, Operation } from './journal.ts';
import { createSender, type Reply, type Sender } from './send.ts';

export interface DriveOptions {
  readonly url: string;
  readonly apiKey: string;
  readonly experimentIds: readonly string[];
  readonly funnelId: string;
  readonly seed: number;
}

/** Clients under way. */
export interface Driver {
  /** Resolves when every client has its answer. */
  stop(): Promise<void>;
}

const nAssigning = 4;
const nConverting = 4;
const pauseMs = 8;
/** After an answer that asks to come again later. */
const backOffMs = 60;
const batchSize = 10;
/** Assigned and waiting for a client that converts; past it the oldest is left as it is. */
const waitingMax = 200;

interface Made {
  readonly experimentId: string;
  readonly userId: string;
  readonly assignmentId: string;
  readonly treatmentId: string;
  /** False: its process may die with it, and then nothing but its id proves it. */
  readonly isRecorded: boolean;
}

interface Client {
  readonly sender: Sender;
  readonly journal: Journal;
  readonly options: DriveOptions;
  readonly rng: SeededRng;
  /** Shared by all clients. */
  readonly waiting: Made[];
  /** Waiting for company in a batch. */
  readonly batch: Made[];
  /** Answered 201 once. */
  readonly converted: Made[];
}

/**
 * Some clients assign one user after another, some users twice. Others convert those users, alone or in a batch, or reward
 * them through the funnel, and now and then repeat a conversion that was answered 201: so that events which wait for a
 * store do not hold up assignments.
 */
export function drive(options: DriveOptions, journal: Journal): Driver {
  const sender = createSender(options.url, options.apiKey, nAssigning + nConverting);
  const waiting: Made[] = [];
  let isStopped = false;
  const clients = Array.from({ length: nAssigning + nConverting }, async (_, index) => {
    const rng = createRng(options.seed * 100 + index);
    const client: Client = { sender, journal, options, rng, waiting, batch: [], converted: [] };
    for (let n = 0; !isStopped; n += 1) {
      if (index < nAssigning) await assignOne(client, `user-${index}-${n}`);
      else await convertOne(client);
      await delay(pauseMs);
    }
  });
  return {
    stop: async () => {
      isStopped = true;
      await Promise.all(clients);
      sender.close();
    },
  };
}

async function assignOne(client: Client, userId: string): Promise<void> {
  const { rng, options, waiting } = client;
  const experimentId = pick(rng, options.experimentIds);
  const assigned = await assign(client, experimentId, userId);
  if (assigned === undefined) return;
  if (rng.uniform() < 0.3) await assign(client, experimentId, userId);
  waiting.push({ experimentId, userId, ...assigned });
  if (waiting.length > waitingMax) waiting.shift();
}

async function convertOne(client: Client): Promise<void> {
  const { rng, waiting, batch, converted } = client;
  const made = waiting.shift();
  if (made === undefined) return;
  const choice = rng.uniform();
  if (choice < 0.6) await convert(client, made, 'convert');
  else if (choice < 0.92) batch.push(made);
  else await reward(client, made);
  if (batch.length >= batchSize) await convertBatch(client);
  const again = converted.at(-1);
  if (again !== undefined && rng.uniform() < 0.1) await convert(client, again, 'repeat');
}

async function assign(client: Client, experimentId: string, userId: string): Promise<Operation['assigned']> {
  const reply = await client.sender.post('/assignments', { experimentId, userId });
  const { assignmentId, treatment } = reply.status === 200 ? reply.body.data : {};
  const assigned = { assignmentId, treatmentId: treatment?.id, isRecorded: reply.isRecorded };
  await note(client, reply, {
    kind: 'assign',
    id: userId,
    experimentId,
    ...(reply.status === 200 ? { assigned } : {}),
  });
  return reply.status === 200 ? assigned : undefined;
}

async function convert(client: Client, made: Made, kind: 'convert' | 'repeat'): Promise<void> {
  const { assignmentId, experimentId, treatmentId, userId } = made;
  const value = drawValue(client.rng);
  // By the triplet too, which has to find that very assignment: a second one would be a second trial.
  const isByTriplet = made.isRecorded && client.rng.uniform() < 0.3;
  const subject = isByTriplet ? { experimentId, treatmentId, userId } : { assignmentId };
  const event = { ...subject, eventType: 'CONVERSION', value };
  const reply = await client.sender.post('/events', event);
  const eventId = reply.status === 201 ? reply.body.data.id : reply.body?.details?.eventId;
  await note(client, reply, { kind, id: assignmentId, experimentId, value, eventId });
  if (reply.status === 201) client.converted.push(made);
}

/** One line an item, each with its own status. */
async function convertBatch(client: Client): Promise<void> {
  const batch = client.batch.splice(0);
  const events = batch.map(({ assignmentId }) => ({
    ...{ assignmentId, eventType: 'CONVERSION', value: drawValue(client.rng) },
  }));
  const reply = await client.sender.post('/events/batch', { events });
  const isSplit = reply.status === 201 || reply.status === 207;
  const failed = new Map<number, { status: number; details?: { eventId?: string } }>();
  if (isSplit) for (const error of reply.body.data.errors) failed.set(error.index, error);
  let nCreated = 0;
  for (const [index, { assignmentId, experimentId }] of batch.entries()) {
    const error = failed.get(index);
    const created = isSplit && error === undefined ? reply.body.data.created[nCreated++] : undefined;
    const status = isSplit ? (error?.status ?? 201) : reply.status;
    const eventId = created?.id ?? error?.details?.eventId;
    const { value } = events[index] as { value: number };
    const item = { kind: 'batch item', id: assignmentId, experimentId, value, eventId } as const;
    await note(client, { ...reply, status }, item, index === 0 && !isSplit);
  }
}

async function reward(client: Client, { experimentId, userId }: Made): Promise<void> {
  const value = drawValue(client.rng);
  const reply = await client.sender.post(`/funnels/${client.options.funnelId}/reward`, { userId, value });
  await note(client, reply, { kind: 'reward', id: userId, experimentId, value });
}

type Subject = Pick<Operation, 'kind' | 'id' | 'experimentId' | 'value' | 'assigned'> & {
  readonly eventId?: string | undefined;
};

async function note(
  client: Client,
  reply: Reply,
  { eventId, ...subject }: Subject,
  mayBackOff = true,
): Promise<void> {
  const { startMs, endMs, status, hasRetryAfter, text } = reply;
  const error = reply.error ?? reply.body?.code;
  const operation: Operation = {
    ...subject,
    ...{ startMs, endMs, status, hasRetryAfter },
    ...(eventId === undefined ? {} : { eventId }),
    ...(error === undefined ? {} : { error }),
  };
  client.journal.add(operation, text);
  if (mayBackOff && (status === 0 || status >= 500)) await delay(backOffMs);
}

/** Quarters: their sums are exact. */
const drawValue = (rng: SeededRng): number => (1 + Math.floor(rng.uniform() * 16)) / 4;

const pick = <T>(rng: SeededRng, list: readonly T[]): T => list[Math.floor(rng.uniform() * list.length)] as T;

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
