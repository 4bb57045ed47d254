import type { PolicySpec } from '../options.ts';
import { resolveOptions } from '../resolve-options.ts';
import { addExactly } from './exact-sum.ts';
import { decodeSums, encodeSums } from './sums-learner.ts';
import { column, nArmsOf, nColumns, reserveArm, type SumsState } from './sums-state.ts';

/**
 * State of a context-free learner that saw the facts of both: sums add up. Trials of `second` are numbered after those
 * of `first`, so an arm's first trial is the earlier of the two under that numbering.
 *
 * @param first, second what `Learner.encode` wrote
 * @returns the same form; neither input is changed
 * @throws RangeError with `discount` below 1, where the order of trials across the two is not known, or for an
 *   algorithm whose state is not sums
 */
export function mergeLearners(spec: PolicySpec, first: Uint8Array, second: Uint8Array): Uint8Array {
  const { algorithm, discount } = resolveOptions(spec);
  if (algorithm === 'LINEAR_CONTEXTUAL' || algorithm === 'NEURAL_CONTEXTUAL') {
    throw new RangeError(`algorithm must be context-free to merge states, got ${algorithm}`);
  }
  if (discount < 1) throw new RangeError(`discount must be 1 to merge states, got ${discount}`);
  return encodeSums(mergeSums(decodeSums(first), decodeSums(second)));
}

function mergeSums(first: SumsState, second: SumsState): SumsState {
  const merged: SumsState = { ...first, rows: first.rows.slice() };
  const nArms = nArmsOf(second);
  if (nArms > 0) reserveArm(merged, nArms - 1);
  for (let at = 0; at < nArms * nColumns; at += nColumns) {
    merged.rows[at + column.n]! += second.rows[at + column.n]!;
    for (const sum of [column.s, column.s2]) {
      addExactly(merged.rows, at + sum, second.rows[at + sum]!);
      addExactly(merged.rows, at + sum, second.rows[at + sum + 1]!);
    }
    const theirs = second.rows[at + column.first]!;
    if (merged.rows[at + column.first]! < 0 && theirs >= 0) {
      merged.rows[at + column.first] = theirs + first.nTrials;
    }
  }
  merged.nTrials = first.nTrials + second.nTrials;
  return merged;
}
