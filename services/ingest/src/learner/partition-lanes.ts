/**
 * One lane a partition: work on a partition runs one piece at a time, starts as soon as it is asked for, and is tried
 * again for ever, with growing pauses, while it fails.
 *
 * Holds what is asked for (a flag per lane) and what runs. A lane is idle, running, or waiting to run again; `kick`, the
 * end of a piece and `close` move it. A crash loses only the flags: the poll kicks again what has work.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { limits } from '@bandit/contracts';

/** What a piece of work found: more to do now, more to do after a pause, or nothing. */
export type LaneResult =
  | { readonly again: 'now' | 'never' }
  | { readonly again: 'later'; readonly ms: number };

export interface LaneOptions {
  readonly work: (partition: number) => Promise<LaneResult>;
  readonly mayRun: (partition: number) => boolean;
  /** Pieces at one time over all lanes. */
  readonly inFlightMax: number;
  readonly onError: (error: unknown, partition: number, nFailures: number) => void;
}

export interface PartitionLanes {
  kick(partition: number): void;
  /** Lets running pieces end and starts no more. */
  close(): Promise<void>;
}

interface Lane {
  isAsked: boolean;
  running: Promise<void> | undefined;
}

const firstRetryMs = 20;

export function createPartitionLanes(options: LaneOptions): PartitionLanes {
  const lanes = new Map<number, Lane>();
  const stop = new AbortController();
  const slots = createSlots(options.inFlightMax);
  const laneOf = (partition: number): Lane => {
    const held = lanes.get(partition) ?? { isAsked: false, running: undefined };
    lanes.set(partition, held);
    return held;
  };
  const run = async (partition: number, lane: Lane): Promise<void> => {
    let nFailures = 0;
    while (lane.isAsked && options.mayRun(partition) && !stop.signal.aborted) {
      lane.isAsked = false;
      const pauseMs = await slots.use(() => step(partition, lane));
      await sleep(pauseMs, stop.signal);
    }
    async function step(of: number, asked: Lane): Promise<number> {
      try {
        const result = await options.work(of);
        nFailures = 0;
        if (result.again !== 'never') asked.isAsked = true;
        return result.again === 'later' ? result.ms : 0;
      } catch (error) {
        nFailures += 1;
        options.onError(error, of, nFailures);
        asked.isAsked = true;
        return Math.min(firstRetryMs * 2 ** (nFailures - 1), limits.learnerRetryDelayMsMax);
      }
    }
  };
  const kick = (partition: number): void => {
    const lane = laneOf(partition);
    lane.isAsked = true;
    if (lane.running !== undefined || stop.signal.aborted) return;
    lane.running = run(partition, lane).finally(() => {
      lane.running = undefined;
      // Asked for between the last look at the flag and here.
      if (lane.isAsked && options.mayRun(partition)) kick(partition);
    });
  };
  return {
    kick,
    close: async () => {
      stop.abort();
      await Promise.all([...lanes.values()].map((lane) => lane.running));
    },
  };
}

function createSlots(nMax: number) {
  let nFree = nMax;
  const waiting: (() => void)[] = [];
  return {
    use: async <T>(work: () => Promise<T>): Promise<T> => {
      if (nFree > 0) nFree -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) nFree += 1;
        else next();
      }
    },
  };
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => undefined);
}
