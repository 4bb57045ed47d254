import { limits } from '@bandit/contracts';
import { NatsFailure } from './nats-failure.ts';
import type { NatsMessage, NatsSession } from './nats-session.ts';

const encoder = new TextEncoder();
/** Nobody answers there. */
const noSuchConsumer = 503;

/** A record that the stream handed to us; nobody else gets it before `recordsAckWaitMs` have passed in silence. */
export interface PulledRecord {
  readonly payload: Uint8Array;
  /** How often it was handed out, this time included. */
  readonly nDeliveries: number;
  /** Where its acknowledgement goes. */
  readonly ackSubject: string;
}

/**
 * What the consumer has right now, at most `recordsPerDrainMax`: never waits for more. So nothing is under way to a
 * process that is closing or that must not take anything any more.
 *
 * @throws NatsFailure: `nobody` or `timeout` when there is no such consumer
 */
export async function pullRecords(
  session: NatsSession,
  stream: string,
  durable: string,
): Promise<PulledRecord[]> {
  const pulled: PulledRecord[] = [];
  const { promise: end, resolve, reject } = Promise.withResolvers<void>();
  const inbox = session.createInbox();
  const stop = session.subscribe(inbox, {
    onMessage: (message) => {
      if (message.status >= 400) return message.status === noSuchConsumer ? reject(gone(stream)) : resolve();
      const record = toRecord(message);
      if (record !== undefined) pulled.push(record);
      if (pulled.length >= limits.recordsPerDrainMax) resolve();
    },
    onRefused: (reason) => reject(new NatsFailure('refused', reason)),
  });
  const timer = setTimeout(
    () => (pulled.length > 0 ? resolve() : reject(new NatsFailure('timeout', 'no answer in time'))),
    limits.recordsPullTimeoutMs,
  );
  const stopWatching = session.onLost((reason) => reject(new NatsFailure('lost', reason)));
  try {
    session.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`, pullRequest, { reply: inbox });
    await end;
    return pulled;
  } finally {
    clearTimeout(timer);
    stopWatching();
    stop();
  }
}

const pullRequest = encoder.encode(
  JSON.stringify({
    batch: limits.recordsPerDrainMax,
    max_bytes: limits.recordsPerDrainBytesMax,
    no_wait: true,
  }),
);

function gone(stream: string): NatsFailure {
  return new NatsFailure('nobody', `the consumer of ${stream} is gone`);
}

/** undefined for what no stream sent. */
function toRecord({ payload, reply, status }: NatsMessage): PulledRecord | undefined {
  if (status !== 0 || reply === undefined) return undefined;
  // $JS.ACK.<stream>.<consumer>.<deliveries>.…, or with domain and account before the stream.
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined;
  const nDeliveries = Number(tokens[tokens.length === 9 ? 4 : 6]);
  return { payload, nDeliveries, ackSubject: reply };
}
