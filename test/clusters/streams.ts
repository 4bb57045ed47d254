import type { NatsCluster, NatsServer } from '@bandit/test-stores';
import { connect, type JetStreamManager } from 'nats';
import { natsPrefix } from './start-clusters.ts';

export const eventsStream = `${natsPrefix}_EVENTS`;
export const recordsStream = `${natsPrefix}_RECORDS`;
const consumer = 'recorders';
const callTimeoutMs = 5_000;
const readAheadMax = 64;

/** A look at the streams from outside of the platform. Every look may fail while a leader is elected. */
export interface StreamView {
  /** A leader, and every replica up to date with it, for both streams and the consumer of RECORDS. */
  areWhole(): Promise<boolean>;
  lastSequence(stream: string): Promise<number>;
  /** Records that nobody has brought in and acknowledged. */
  nKept(): Promise<number>;
  /** Message ids of all that the stream holds, in order. */
  readIds(stream: string): Promise<string[]>;
  /** How many messages each server's replica of the stream holds, and from where to where. */
  readHoldings(stream: string): Promise<string[]>;
  /** Assignment ids of the records in RECORDS. */
  readRecords(): Promise<Set<string>>;
  close(): Promise<void>;
}

export async function watchStreams({ url, servers }: NatsCluster): Promise<StreamView> {
  const connection = await connect({
    servers: url.split(',').map((one) => new URL(one).host),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
  });
  const manager = await connection.jetstreamManager({ timeout: callTimeoutMs });
  const { streams, consumers } = manager;
  return {
    areWhole: async () => {
      const infos = await Promise.all([
        streams.info(eventsStream),
        streams.info(recordsStream),
        consumers.info(recordsStream, consumer),
      ]).catch(() => []);
      return infos.length === 3 && infos.every(({ cluster }) => isWhole(cluster));
    },
    lastSequence: async (stream) => (await streams.info(stream)).state.last_seq,
    nKept: async () => {
      const { num_pending, num_ack_pending } = await consumers.info(recordsStream, consumer);
      return num_pending + num_ack_pending;
    },
    readIds: async (stream) =>
      (await readAll(manager, stream)).map((message) => message.header.get('Nats-Msg-Id')),
    readHoldings: (stream) => Promise.all(servers.map((server) => readHolding(server, stream))),
    readRecords: async () => {
      const messages = await readAll(manager, recordsStream);
      return new Set(messages.map((message) => message.json<{ assignmentId: string }>().assignmentId));
    },
    close: () => connection.close(),
  };
}

interface ClusterInfo {
  readonly leader?: string;
  readonly replicas?: readonly { readonly current: boolean; readonly offline?: boolean }[];
}

function isWhole(cluster: ClusterInfo | undefined): boolean {
  const following = cluster?.replicas?.filter(({ current, offline }) => current && offline !== true);
  return (cluster?.leader ?? '') !== '' && following?.length === 2;
}

interface StreamsReport {
  readonly account_details?: readonly {
    readonly stream_detail?: readonly {
      readonly name: string;
      readonly state: { readonly messages: number; readonly first_seq: number; readonly last_seq: number };
    }[];
  }[];
}

async function readHolding({ monitorPort }: NatsServer, stream: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${monitorPort}/jsz?accounts=true&streams=true`);
  const { account_details: accounts = [] } = (await answer.json()) as StreamsReport;
  const details = accounts.flatMap(({ stream_detail: list = [] }) => list);
  const state = details.find(({ name }) => name === stream)?.state;
  return `${state?.messages} messages from ${state?.first_seq} to ${state?.last_seq}`;
}

async function readAll(manager: JetStreamManager, stream: string) {
  const { state } = await manager.streams.info(stream);
  const messages: Awaited<ReturnType<JetStreamManager['streams']['getMessage']>>[] = [];
  for (let seq = state.first_seq; seq <= state.last_seq; seq += readAheadMax) {
    const length = Math.min(readAheadMax, state.last_seq - seq + 1);
    const sequences = Array.from({ length }, (_, i) => seq + i);
    messages.push(...(await Promise.all(sequences.map((one) => readOne(manager, stream, one)))).flat());
  }
  return messages;
}

/** Nothing where it was deleted in between. */
async function readOne(manager: JetStreamManager, stream: string, seq: number) {
  try {
    return [await manager.streams.getMessage(stream, { seq })];
  } catch (error) {
    if (/no message found/i.test((error as Error).message)) return [];
    throw error;
  }
}
