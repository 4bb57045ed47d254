import { limits } from '@bandit/contracts';
import type { NatsLog } from './nats-connection.ts';
import type { NatsSession } from './nats-session.ts';
import { readTraceHeaders } from './trace-headers.ts';

const isSubject = /^[^\s.*>]+(\.[^\s.*>]+)*$/;

export interface NatsBroadcaster {
  /** Sends it or drops it; never throws. @param session undefined while NATS is away */
  publish(session: NatsSession | undefined, subject: string, payload: Uint8Array): void;
  /** Broadcasts dropped since the start. */
  nDropped(): number;
}

/**
 * Broadcasts. What the server has not confirmed to have read is bounded: past `unconfirmedBytesMax` (it hangs, and nobody
 * has noticed yet) broadcasts are dropped as while it is away. The first drop of a stretch is logged, and its count.
 */
export function createNatsBroadcaster(unconfirmedBytesMax: number, log: NatsLog): NatsBroadcaster {
  let window: ConfirmWindow | undefined;
  let nDropped = 0;
  let nDroppedInStretch = 0;

  const drop = (subject: string, reason: string) => {
    nDropped += 1;
    nDroppedInStretch += 1;
    if (nDroppedInStretch === 1) log.warn({ subject, reason }, 'broadcasts are dropped');
  };
  return {
    publish: (session, subject, payload) => {
      // In the protocol a space or a line break in a subject would begin something else.
      if (!isSubject.test(subject)) return drop(subject, 'a subject is tokens joined by dots');
      if (session === undefined) return drop(subject, 'NATS is away');
      if (window?.session !== session) window = createConfirmWindow(session);
      if (window.nBytes() + payload.length > unconfirmedBytesMax)
        return drop(subject, 'NATS does not read what was sent');
      try {
        const headers = readTraceHeaders();
        session.publish(subject, payload, headers === undefined ? {} : { headers });
        window.add(payload.length + subject.length);
      } catch (error) {
        return drop(subject, (error as Error).message);
      }
      if (nDroppedInStretch > 0) log.info({ nDropped: nDroppedInStretch }, 'broadcasts are sent again');
      nDroppedInStretch = 0;
    },
    nDropped: () => nDropped,
  };
}

interface ConfirmWindow {
  readonly session: NatsSession;
  add(nBytes: number): void;
  /** Sent and not confirmed. */
  nBytes(): number;
}

function createConfirmWindow(session: NatsSession): ConfirmWindow {
  let unconfirmed = 0;
  let unasked = 0;
  return {
    session,
    add: (nBytes) => {
      unconfirmed += nBytes;
      unasked += nBytes;
      if (unasked < limits.busConfirmIntervalBytes) return;
      const asked = unasked;
      unasked = 0;
      const release = () => {
        unconfirmed -= asked;
      };
      // A session that does not confirm in time is about to be given up: its window goes with it.
      session.confirm(limits.requestTimeoutMs).then(release, () => undefined);
    },
    nBytes: () => unconfirmed,
  };
}
