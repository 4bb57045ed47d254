/**
 * Decoded learners of the experiments that this process folds, by partition, bounded by number and by bytes.
 *
 * Written by the fold of their partition alone. An entry is what the database holds at its version: whoever fails
 * between changing a learner and committing it drops the partition's entries, and the next fold reads the rows again.
 * Losing an entry costs a read.
 */

import { limits } from '@bandit/contracts';
import type { Learner } from '@bandit/core';
import type { ExperimentKey } from '@bandit/db';
import { LRUCache } from 'lru-cache';

export interface CachedLearner {
  readonly learner: Learner;
  /** Version of the stored state that it equals; 0 = nothing stored yet. */
  readonly version: number;
  /** Of the encoded state. */
  readonly nBytes: number;
}

export interface LearnerCache {
  find(partition: number, key: ExperimentKey): CachedLearner | undefined;
  put(partition: number, key: ExperimentKey, entry: CachedLearner): void;
  dropPartition(partition: number): void;
  size(): number;
}

const bytesBeside = 1_024;

export function createLearnerCache(): LearnerCache {
  const entries = new LRUCache<string, CachedLearner>({
    max: limits.learnerCachedStatesMax,
    maxSize: limits.learnerCachedBytesMax,
    sizeCalculation: (entry) => entry.nBytes + bytesBeside,
  });
  const nameOf = (partition: number, key: ExperimentKey) =>
    `${partition}/${key.companyId}/${key.experimentId}`;
  return {
    find: (partition, key) => entries.get(nameOf(partition, key)),
    put: (partition, key, entry) => {
      entries.set(nameOf(partition, key), entry);
    },
    dropPartition: (partition) => {
      for (const name of [...entries.keys()]) if (name.startsWith(`${partition}/`)) entries.delete(name);
    },
    size: () => entries.size,
  };
}
