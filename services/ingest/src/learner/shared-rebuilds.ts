import { setImmediate } from 'node:timers/promises';
import type { Bus } from '@bandit/contracts';
import type { ExperimentKey, NewState, OpenedDatabase } from '@bandit/db';
import type { LearnerMetrics } from './learner-metrics.ts';
import { broadcastState } from './publish-events.ts';
import { rebuildExperiment } from './rebuild-experiment.ts';
import { createRebuildTurns, unshared } from './rebuild-turns.ts';

export interface SharedRebuilds {
  /**
   * Rebuilds and broadcasts. A call for an experiment whose rebuild runs here shares it; where it runs in another process,
   * the call waits for its end.
   */
  run(key: ExperimentKey): Promise<NewState>;
  /** Lets running ones end, gives up those that wait for another process, and begins no more of these. */
  close(): Promise<void>;
}

export interface RebuildsOptions {
  readonly db: OpenedDatabase['db'];
  readonly bus: Pick<Bus, 'publish'>;
  /** True when other processes may rebuild on the same database; needs one connection for itself meanwhile. */
  readonly isShared: boolean;
  readonly randomBytes: (n: number) => Uint8Array;
  readonly metrics?: Pick<LearnerMetrics, 'startRebuild'> | undefined;
}

export function createSharedRebuilds(options: RebuildsOptions): SharedRebuilds {
  const { db, bus, isShared, randomBytes, metrics } = options;
  const stop = new AbortController();
  const turns = isShared ? createRebuildTurns(db, stop.signal) : unshared;
  const running = new Map<string, Promise<NewState>>();
  const makeToken = () => Buffer.from(randomBytes(16)).toString('hex');
  const rebuild = async (key: ExperimentKey): Promise<NewState> => {
    const end = metrics?.startRebuild();
    try {
      const state = await rebuildExperiment({ db, pause: () => setImmediate(), makeToken }, key);
      end?.(false);
      broadcastState(bus, state);
      return state;
    } catch (error) {
      end?.(true);
      throw error;
    }
  };
  return {
    run: (key) => {
      const name = `${key.companyId}/${key.experimentId}`;
      const held = running.get(name);
      if (held !== undefined) return held;
      const started = turns.take(key, () => rebuild(key)).finally(() => running.delete(name));
      running.set(name, started);
      return started;
    },
    close: async () => {
      stop.abort();
      await Promise.allSettled(running.values());
    },
  };
}
