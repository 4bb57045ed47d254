/**
 * Keeps one session with NATS, for ever: opens it in the background, and the next one when it is lost. It holds the
 * session of now, written only by its loop. Nothing is kept for a NATS that is away; whoever needs the next session is
 * told when it is there. A crash loses nothing but the connection.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '@bandit/contracts';
import type { BusLog } from '../in-process-bus.ts';
import { openNatsSession } from './nats-client.ts';
import type { NatsSession } from './nats-session.ts';
import type { NatsTarget } from './nats-url.ts';

export interface NatsLog extends BusLog {
  info(details: object, message: string): void;
}

export interface NatsConnectionOptions {
  readonly target: NatsTarget;
  readonly name: string;
  readonly log: NatsLog;
  /** Uniform on [0, 1): spreads the attempts of many processes. */
  readonly rng: () => number;
}

export interface NatsKeeper {
  /** The open session, undefined while NATS is away. */
  session(): NatsSession | undefined;
  /** Called with each new session, in the order of registration. */
  onSession(listener: (session: NatsSession) => void): void;
  close(): Promise<void>;
}

export function keepNatsSession(options: NatsConnectionOptions): NatsKeeper {
  const { target, name, log, rng } = options;
  const listeners: ((session: NatsSession) => void)[] = [];
  const closing = new AbortController();
  let current: NatsSession | undefined;
  let isAwayLogged = false;

  const logAway = (reason: string) => {
    if (!isAwayLogged && !closing.signal.aborted)
      log.warn({ servers: target.servers, reason }, 'NATS is away: trying again until it is back');
    isAwayLogged = true;
  };
  const use = async (session: NatsSession) => {
    current = session;
    log.info({ server: session.server }, isAwayLogged ? 'NATS is back' : 'connected to NATS');
    isAwayLogged = false;
    const lost = new Promise<string>((resolve) => session.onLost(resolve));
    for (const listener of listeners) listener(session);
    const reason = await lost;
    current = undefined;
    logAway(reason);
  };
  const keep = async () => {
    while (!closing.signal.aborted) {
      try {
        let isForbiddenLogged = false;
        const onForbidden = (operation: string, subject: string) => {
          if (!isForbiddenLogged) log.error({ operation, subject }, 'NATS forbids what this process does');
          isForbiddenLogged = true;
        };
        const session = await openNatsSession({ target, name, onForbidden });
        if (closing.signal.aborted) session.close();
        else await use(session);
      } catch (error) {
        logAway((error as Error).message);
      }
      const delayMs = limits.natsReconnectDelayMs * (1 + rng());
      await delay(delayMs, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  };
  const kept = keep();

  return {
    session: () => (current?.isOpen() ? current : undefined),
    onSession: (listener) => {
      listeners.push(listener);
    },
    close: async () => {
      closing.abort();
      current?.close();
      // An attempt under way cannot be called off: it ends by itself, and closes what it opened.
      const closed = new AbortController();
      const late = delay(limits.natsCloseTimeoutMs, undefined, { signal: closed.signal });
      await Promise.race([kept, late.catch(() => undefined)]);
      closed.abort();
    },
  };
}
