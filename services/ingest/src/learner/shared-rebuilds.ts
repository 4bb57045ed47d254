import { setImmediate } from 'node:timers/promises';
import type { Bus } from '@bandit/contracts';
import type { ExperimentKey, NewState, OpenedDatabase } from '@bandit/db';
import type { LearnerMetrics } from './learner-metrics.ts';
import { broadcastState } from './publish-events.ts';
import { rebuildExperiment } from './rebuild-experiment.ts';

export interface SharedRebuilds {
  /** Rebuilds and broadcasts; a call for an experiment whose rebuild runs here waits for that one. */
  run(key: ExperimentKey): Promise<NewState>;
  /** Resolves when none runs. */
  settle(): Promise<void>;
}

export interface RebuildsOptions {
  readonly db: OpenedDatabase['db'];
  readonly bus: Pick<Bus, 'publish'>;
  readonly randomBytes: (n: number) => Uint8Array;
  readonly metrics?: Pick<LearnerMetrics, 'startRebuild'> | undefined;
}

export function createSharedRebuilds({ db, bus, randomBytes, metrics }: RebuildsOptions): SharedRebuilds {
  const running = new Map<string, Promise<NewState>>();
  const makeToken = () => Buffer.from(randomBytes(16)).toString('hex');
  const start = async (key: ExperimentKey): Promise<NewState> => {
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
      const started = start(key).finally(() => running.delete(name));
      running.set(name, started);
      return started;
    },
    settle: async () => {
      await Promise.allSettled(running.values());
    },
  };
}
