import { createHash } from 'node:crypto';
import { limits } from '@bandit/contracts';

/** The learner partition of an experiment, 0 … limits.learnerPartitions - 1: stable for ever, spread evenly. */
export function partitionOfExperiment(experimentId: string): number {
  return createHash('sha256').update(experimentId).digest().readUInt32BE(0) % limits.learnerPartitions;
}
