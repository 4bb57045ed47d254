import type { ExperimentSnapshot } from '@bandit/contracts';
import type { Policy } from '@bandit/core';

/** A policy ready to answer, with the learned version that it stands on (0: nothing learned). */
export interface PreparedPolicy {
  readonly policy: Policy;
  readonly stateVersion: number;
}

/** What is held of one experiment's learned state. */
export interface StateEntry {
  /** Version of `serving`; 0 while none is held. */
  version: number;
  serving: Uint8Array | undefined;
  /** Newest version heard of; above `version` while it has not been fetched. */
  knownVersion: number;
  /** Used since the last poll: what is not used is let go first when memory is short. */
  isUsed: boolean;
  /** Until this moment a failed fetch is not tried again on a request. */
  retryAtMs: number;
  loading: Promise<void> | undefined;
  memo: { experiment: ExperimentSnapshot; version: number; prepared: PreparedPolicy } | undefined;
}

export function createStateEntry(): StateEntry {
  return {
    version: 0,
    serving: undefined,
    knownVersion: 0,
    isUsed: false,
    retryAtMs: 0,
    loading: undefined,
    memo: undefined,
  };
}

/**
 * Takes a state in if it is newer than what is held.
 * @returns the number of bytes by which the held states grew
 */
export function applyState(entry: StateEntry, version: number, serving: Uint8Array): number {
  entry.knownVersion = Math.max(entry.knownVersion, version);
  if (version <= entry.version) return 0;
  const grown = serving.byteLength - (entry.serving?.byteLength ?? 0);
  entry.version = version;
  entry.serving = serving;
  return grown;
}

/** Lets the state go; it is fetched again on the next use. @returns the number of bytes freed */
export function dropState(entry: StateEntry): number {
  const freed = entry.serving?.byteLength ?? 0;
  entry.version = 0;
  entry.serving = undefined;
  entry.memo = undefined;
  return freed;
}
