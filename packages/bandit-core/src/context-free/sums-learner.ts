import { BinaryReader } from '../codec/binary-reader.ts';
import { BinaryWriter } from '../codec/binary-writer.ts';
import type { ArmSums, Learner } from '../policy.ts';
import type { ResolvedOptions } from '../resolve-options.ts';
import { foldSums } from './fold-sums.ts';
import { encodeSumsServing } from './serving-state.ts';
import { column, emptySums, nArmsOf, nColumns, readSums, type SumsState, writeSums } from './sums-state.ts';

const learnerKind = 1;

/** Learner of EPSILON_GREEDY, UCB1 and THOMPSON_SAMPLING: sums only, so all three share one state. */
export function createSumsLearner(options: ResolvedOptions): Learner {
  return sumsLearner(emptySums(), options);
}

/** @throws RangeError when the bytes are not such a learner's state */
export function decodeSumsLearner(bytes: Uint8Array, options: ResolvedOptions): Learner {
  return sumsLearner(decodeSums(bytes), options);
}

/** Reads what `Learner.encode` wrote. */
export function decodeSums(bytes: Uint8Array): SumsState {
  const reader = new BinaryReader(bytes);
  reader.header(learnerKind, 1);
  return readSums(reader);
}

export function encodeSums(state: SumsState): Uint8Array {
  return writeSums(new BinaryWriter(1024).header(learnerKind, 1), state).finish();
}

function sumsLearner(initial: SumsState, options: ResolvedOptions): Learner {
  let state = initial;
  return {
    fold(facts) {
      const first = state.nTrials;
      state = foldSums(state, facts, options);
      return first;
    },
    get nTrials() {
      return state.nTrials;
    },
    sums: () => undiscountedSums(state),
    encode: () => encodeSums(state),
    encodeServing: (arms, nTrialsSinceLast) => encodeSumsServing(state, arms, nTrialsSinceLast, options),
  };
}

function undiscountedSums(state: SumsState): ArmSums[] {
  return Array.from({ length: nArmsOf(state) }, (_, arm) => {
    const at = arm * nColumns;
    return {
      n: state.rows[at + column.n]!,
      s: state.rows[at + column.s]!,
      s2: Math.max(0, state.rows[at + column.s2]!),
    };
  });
}
