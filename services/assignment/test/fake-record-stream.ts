import { limits, type RecordHandler, type RecordStream, type StoredRecord } from '@bandit/contracts';

/** RECORDS in memory, as the port promises it; it hands out when told, so that tests say in which order things happen. */
export interface FakeRecordStream extends RecordStream {
  /** Hands out what is kept, group by group, until nothing is left or nobody takes it. */
  pump(): Promise<void>;
  /** What is kept, oldest first. */
  readonly kept: readonly StoredRecord[];
  readonly nPuts: () => number;
  setAway(isAway: boolean): void;
  /** Puts are neither answered nor refused until the returned function is called. */
  hang(): () => void;
}

export function createFakeRecordStream(): FakeRecordStream {
  let kept: StoredRecord[] = [];
  const ids = new Set<string>();
  const consumers = new Set<{ handler: RecordHandler; mayTake: () => boolean }>();
  let gate: Promise<void> | undefined;
  let isAway = false;
  let nPuts = 0;
  const put = async (record: StoredRecord, timeoutMs: number) => {
    nPuts++;
    if (isAway) throw new Error('RECORDS is away');
    if (gate) {
      const { promise: late, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(reject, timeoutMs, new Error('not acknowledged in time'));
      await Promise.race([gate, late]).finally(() => clearTimeout(timer));
    }
    if (ids.has(record.id)) return;
    ids.add(record.id);
    kept.push(record);
  };
  /** @returns false when nobody took the oldest group */
  const handOut = async (): Promise<boolean> => {
    const group = kept.slice(0, limits.recordsPerDrainMax);
    for (const { handler, mayTake } of consumers) {
      if (!mayTake()) continue;
      const isDone = await handler(group.map(({ payload }) => payload)).then(
        () => true,
        () => false,
      );
      if (isDone) kept = kept.filter((record) => !group.includes(record));
      return isDone;
    }
    return false;
  };
  return {
    put,
    async drain(handler, mayTake) {
      const consumer = { handler, mayTake };
      consumers.add(consumer);
      return { close: async () => void consumers.delete(consumer) };
    },
    nKept: () => (isAway ? undefined : kept.length),
    isDrained: async () => {
      if (isAway) throw new Error('the bus is away');
      return kept.length === 0;
    },
    async pump() {
      while (!isAway && kept.length > 0 && (await handOut()));
    },
    get kept() {
      return kept;
    },
    nPuts: () => nPuts,
    setAway: (away) => {
      isAway = away;
    },
    hang: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return () => {
        gate = undefined;
        resolve();
      };
    },
  };
}
