import type { Fact, RewardFact } from '../policy.ts';
import type { ResolvedOptions } from '../resolve-options.ts';
import { addExactly, addProductExactly } from './exact-sum.ts';
import { column, nArmsMax, nColumns, reserveArm, type SumsState } from './sums-state.ts';

/** Largest |reward|: squares, times 10^15 trials squared, stay finite. */
const rewardMax = 1e100;

/**
 * Sums after a chunk of facts: a trial adds one 0 at once, its reward later takes the place of that 0 (ALGORITHMS,
 * rules 3 and 4), so 0 <= s <= n always holds for binary rewards.
 *
 * @returns a new state; `state` is not changed
 * @throws RangeError naming the position and value of the first bad fact: an arm index out of range, a reward that is
 *   not finite (binary: outside 0 … 1), a reward of an arm without trials or with a
 *   `trialPosition` that is not an earlier trial of its arm, sums that would leave 0 <= s <= n
 */
export function foldSums(state: SumsState, facts: readonly Fact[], options: ResolvedOptions): SumsState {
  const next: SumsState = { nTrials: state.nTrials, scale: state.scale, rows: state.rows.slice() };
  const numbers = new Float64Array(facts.length).fill(-1);
  for (let position = 0; position < facts.length; position++) {
    const fact = facts[position]!;
    checkArm(fact.armIndex, position);
    reserveArm(next, fact.armIndex);
    if (fact.kind === 'trial') numbers[position] = addTrial(next, fact.armIndex, options.discount);
    else addReward(next, fact, position, trialNumberOf(fact, position, facts, numbers), options);
  }
  return next;
}

function checkArm(armIndex: number, position: number): void {
  if (Number.isInteger(armIndex) && armIndex >= 0 && armIndex < nArmsMax) return;
  throw new RangeError(
    `armIndex of fact ${position} must be an integer 0 to ${nArmsMax - 1}, got ${armIndex}`,
  );
}

/** @returns the trial's number */
function addTrial(state: SumsState, armIndex: number, discount: number): number {
  const { rows } = state;
  const at = armIndex * nColumns;
  rows[at + column.n]! += 1;
  if (rows[at + column.first]! < 0) rows[at + column.first] = state.nTrials;
  if (discount < 1) {
    if (state.nTrials > 0) state.scale *= discount;
    if (state.scale < 1e-9) multiplyOut(state);
    rows[at + column.discountedN]! += 1 / state.scale;
  }
  state.nTrials += 1;
  return state.nTrials - 1;
}

function multiplyOut(state: SumsState): void {
  for (let at = 0; at < state.rows.length; at += nColumns) {
    for (let c: number = column.discountedN; c <= column.discountedS2; c++)
      state.rows[at + c]! *= state.scale;
  }
  state.scale = 1;
}

function trialNumberOf(
  { armIndex, trialPosition, trialNumber }: RewardFact,
  position: number,
  facts: readonly Fact[],
  numbers: Float64Array,
): number | undefined {
  if (trialPosition === undefined) return trialNumber;
  const trial = trialPosition < position ? facts[trialPosition] : undefined;
  if (trial?.kind === 'trial' && trial.armIndex === armIndex) return numbers[trialPosition]!;
  throw new RangeError(
    `trialPosition of fact ${position} must be that of an earlier trial of arm ${armIndex}, got ${trialPosition}`,
  );
}

function addReward(
  state: SumsState,
  fact: RewardFact,
  position: number,
  trialNumber: number | undefined,
  options: ResolvedOptions,
): void {
  const { rows } = state;
  const at = fact.armIndex * nColumns;
  checkReward(fact.previous, 'previous reward', position, options);
  checkReward(fact.reward, 'reward', position, options);
  const n = rows[at + column.n]!;
  if (n === 0)
    throw new RangeError(`fact ${position} rewards arm ${fact.armIndex}, which must have a trial first`);
  addExactly(rows, at + column.s, fact.reward - fact.previous);
  addProductExactly(rows, at + column.s2, fact.reward, fact.reward);
  addProductExactly(rows, at + column.s2, -fact.previous, fact.previous);
  const s = rows[at + column.s]!;
  if (options.reward === 'binary' && !(s >= 0 && s <= n)) {
    throw new RangeError(
      `fact ${position} takes arm ${fact.armIndex} to ${s} successes, allowed are 0 to ${n}`,
    );
  }
  if (options.discount < 1) {
    const weight = storedWeight(state, at, trialNumber, position, options.discount);
    rows[at + column.discountedS]! += weight * (fact.reward - fact.previous);
    rows[at + column.discountedS2]! += weight * (fact.reward * fact.reward - fact.previous * fact.previous);
  }
}

function checkReward(value: number, name: string, position: number, options: ResolvedOptions): void {
  const isBinary = options.reward === 'binary';
  if (isBinary ? value >= 0 && value <= 1 : Math.abs(value) <= rewardMax) return;
  const allowed = isBinary ? '0 to 1' : `finite and at most ${rewardMax} in size`;
  throw new RangeError(`${name} of fact ${position} must be ${allowed}, got ${value}`);
}

/** Weight of a trial as stored (divided by `scale`); an unrecorded trial number gets its arm's mean weight. */
function storedWeight(
  state: SumsState,
  at: number,
  trialNumber: number | undefined,
  position: number,
  discount: number,
): number {
  if (trialNumber === undefined) return state.rows[at + column.discountedN]! / state.rows[at + column.n]!;
  if (!(Number.isInteger(trialNumber) && trialNumber >= 0 && trialNumber < state.nTrials)) {
    throw new RangeError(
      `trialNumber of fact ${position} must be an integer 0 to ${state.nTrials - 1}, got ${trialNumber}`,
    );
  }
  return discount ** (state.nTrials - 1 - trialNumber) / state.scale;
}
