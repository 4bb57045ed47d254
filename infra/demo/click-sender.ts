/**
 * Sends clicks as CONVERSION events in batches, soon after they happen: a batch goes out when `flushMs` have passed or
 * `itemsMax` clicks wait, one batch at a time. Holds the clicks that wait in memory, at most `queueMax`; past that `add`
 * waits for the batch on its way. A failed batch stops the run; what waits then is lost with it.
 */
import { failureOf, type PlatformClient } from './platform-client.ts';

export interface ClickSender {
  /** Resolves at once unless too many clicks wait. @throws what the last batch failed with */
  add(assignmentId: string): Promise<void>;
  /** Sends what waits and stops the timer. @returns clicks that the platform counted */
  close(): Promise<number>;
}

const itemsMax = 500;
const queueMax = 5_000;

export function createClickSender(client: PlatformClient, flushMs: number): ClickSender {
  let waiting: string[] = [];
  let nCounted = 0;
  let sending: Promise<void> | undefined;
  let failure: unknown;
  const timer = setInterval(() => void flush().catch(() => undefined), flushMs);

  async function sendAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting.slice(0, itemsMax);
      waiting = waiting.slice(itemsMax);
      nCounted += await sendBatch(client, batch);
    }
  }

  function flush(): Promise<void> {
    if (failure !== undefined) return Promise.reject(failure);
    sending ??= sendAll()
      .catch((error: unknown) => {
        failure = error;
        throw error;
      })
      .finally(() => {
        sending = undefined;
      });
    return sending;
  }

  return {
    async add(assignmentId) {
      if (failure !== undefined) throw failure;
      waiting.push(assignmentId);
      if (waiting.length >= queueMax) await flush();
      else if (waiting.length >= itemsMax) void flush().catch(() => undefined);
    },
    async close() {
      clearInterval(timer);
      while (sending !== undefined || waiting.length > 0) await flush();
      return nCounted;
    },
  };
}

/** @returns how many of the batch the platform counts; a repeat (409) of a batch sent twice is counted already */
async function sendBatch(client: PlatformClient, assignmentIds: readonly string[]): Promise<number> {
  const events = assignmentIds.map((assignmentId) => ({ assignmentId, eventType: 'CONVERSION' }));
  const answer = await client.send('/events/batch', { events });
  if (answer.status === 201) return events.length;
  if (answer.status !== 207) throw failureOf('POST', '/events/batch', answer);
  const { errors } = answer.body.data as { errors: { status: number; error: string }[] };
  const refused = errors.find(({ status }) => status !== 409);
  if (refused)
    throw failureOf('POST', '/events/batch', {
      status: refused.status,
      body: { success: false, error: refused.error },
    });
  return events.length;
}
