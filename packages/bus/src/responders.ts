import type { Subscription } from '@bandit/contracts';
import { BusResponderError, BusTimeoutError, BusUnavailableError } from './bus-errors.ts';
import type { BusLog } from './in-process-bus.ts';

export type Responder = (payload: Uint8Array) => Promise<Uint8Array>;

export interface Responders {
  add(subject: string, responder: Responder): Subscription;
  /**
   * Asks the next responder of the subject, in a later turn of the event loop.
   *
   * @throws BusTimeoutError after `timeoutMs`, or at once when there is no responder; BusResponderError when it
   *   throws; BusUnavailableError at close
   */
  ask(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /** Forgets every responder and rejects every request that still waits. */
  close(): void;
}

/** Responders by subject, asked in turn, and the requests that wait for their answers. */
export function createResponders(log: BusLog): Responders {
  const turns = new Map<string, Responder[]>();
  const waiting = new Set<(error: Error) => void>();

  const answer = async (
    responder: Responder,
    subject: string,
    payload: Uint8Array,
    settle: { resolve: (answer: Uint8Array) => void; reject: (error: Error) => void },
  ) => {
    try {
      settle.resolve(await responder(payload));
    } catch (error) {
      log.error({ err: error, subject }, 'a bus responder failed');
      settle.reject(new BusResponderError(subject));
    }
  };

  return {
    add: (subject, responder) => {
      const turn = turns.get(subject) ?? [];
      turn.push(responder);
      turns.set(subject, turn);
      return {
        close: async () => {
          const index = turn.indexOf(responder);
          if (index >= 0) turn.splice(index, 1);
        },
      };
    },
    ask: async (subject, payload, timeoutMs) => {
      const turn = turns.get(subject);
      const responder = turn?.shift();
      if (turn === undefined || responder === undefined) throw new BusTimeoutError(subject, timeoutMs);
      turn.push(responder);
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
      waiting.add(reject);
      const timer = setTimeout(() => reject(new BusTimeoutError(subject, timeoutMs)), timeoutMs);
      setImmediate(() => void answer(responder, subject, payload, { resolve, reject }));
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        waiting.delete(reject);
      }
    },
    close: () => {
      turns.clear();
      for (const reject of waiting) reject(new BusUnavailableError('the bus was closed'));
    },
  };
}
