import { limits, type Subscription } from '@bandit/contracts';
import type { NatsKeeper } from './nats-connection.ts';
import type { NatsSession } from './nats-session.ts';

/** Listens on a session. Returns what ends that. */
export type Listen = (session: NatsSession) => () => void;

export interface NatsSubscriptions {
  /**
   * Listens on the session of now and on each later one. Resolves once the server knows it, or at once while NATS is
   * away. @param onClose what the subscription ends with
   */
  add(listen: Listen, onClose: () => Promise<void>): Promise<Subscription>;
  close(): Promise<void>;
}

interface Wanted {
  readonly listen: Listen;
  readonly onClose: () => Promise<void>;
  /** Ends it on the session of now. */
  stop: () => void;
}

/** What this process wants to listen to, whichever session it has. */
export function createNatsSubscriptions(keeper: NatsKeeper): NatsSubscriptions {
  const all = new Set<Wanted>();
  const confirm = async () => {
    // Not confirmed in time: the server hangs. The next session takes it up.
    await keeper
      .session()
      ?.confirm(limits.natsSubscribeTimeoutMs)
      .catch(() => undefined);
  };
  keeper.onSession((session) => {
    for (const wanted of all) wanted.stop = wanted.listen(session);
  });
  return {
    add: async (listen, onClose) => {
      const wanted: Wanted = { listen, onClose, stop: () => undefined };
      all.add(wanted);
      const session = keeper.session();
      if (session !== undefined) wanted.stop = listen(session);
      await confirm();
      return {
        close: async () => {
          if (!all.delete(wanted)) return;
          wanted.stop();
          await Promise.all([confirm(), onClose()]);
        },
      };
    },
    close: async () => {
      const closed = [...all];
      all.clear();
      for (const { stop } of closed) stop();
      await Promise.all(closed.map(({ onClose }) => onClose()));
    },
  };
}
