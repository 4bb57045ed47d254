import { BusResponderError, BusTimeoutError, BusUnavailableError } from './bus-errors.ts';
import type { BusLog } from './in-process-bus.ts';

export type Responder = (payload: Uint8Array) => Promise<Uint8Array>;

export interface OpenRequests {
  /**
   * Calls the responder in a later turn of the event loop.
   *
   * @throws BusTimeoutError after `timeoutMs`, BusResponderError when it throws, BusUnavailableError at close
   */
  ask(responder: Responder, subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /** Rejects every request that still waits. */
  close(): void;
}

/** Requests that wait for their answer. */
export function createOpenRequests(log: BusLog): OpenRequests {
  const open = new Set<(error: Error) => void>();
  return {
    ask: async (responder, subject, payload, timeoutMs) => {
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
      open.add(reject);
      const timer = setTimeout(() => reject(new BusTimeoutError(subject, timeoutMs)), timeoutMs);
      setImmediate(async () => {
        try {
          resolve(await responder(payload));
        } catch (error) {
          log.error({ err: error, subject }, 'a bus responder failed');
          reject(new BusResponderError(subject));
        }
      });
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        open.delete(reject);
      }
    },
    close: () => {
      for (const reject of open) reject(new BusUnavailableError('the bus was closed'));
    },
  };
}
