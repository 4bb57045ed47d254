import { liveSums } from '../context-free/live-sums.ts';
import { column, nArmsOf, nColumns, type SumsState } from '../context-free/sums-state.ts';
import { defaultFloor } from '../pmf/apply-floor.ts';
import { findNewArms } from '../pmf/cap-new-arms.ts';
import { shareByWeight } from '../pmf/share-by-weight.ts';
import type { Arm } from '../policy.ts';
import type { ResolvedOptions } from '../resolve-options.ts';
import type { ContextualSettings } from './contextual-policy.ts';
import { type Link, logit } from './link.ts';

/** Standard deviation of a numeric reward in the unit that serving uses, 3 pooled s.d. */
export const noiseDeviation = 1 / 3;

export function linkOf(options: ResolvedOptions): Link {
  return options.reward === 'binary' ? 'logistic' : 'identity';
}

/** Everything a policy needs besides the model. @param sums undiscounted sums as of the state served */
export function contextualSettings(
  options: ResolvedOptions,
  sums: SumsState,
  arms: readonly Arm[],
): ContextualSettings {
  const shares = shareByWeight(arms);
  const armIndices = arms.flatMap((arm, index) => (arm.isLive ? [index] : []));
  const isNew = findNewArms(
    arms,
    shares,
    columnOf(sums, column.n),
    columnOf(sums, column.first),
    sums.nTrials,
  );
  return {
    link: linkOf(options),
    explorer: options.explorer,
    gammaScale: options.gammaScale,
    nTrials: sums.nTrials,
    floor: options.explorationFloor ?? defaultFloor(options.algorithm, armIndices.length),
    armIndices,
    shares: Float64Array.from(armIndices, (index) => shares[index]!),
    isNew: armIndices.map((index) => isNew[index]!),
    nArms: arms.length,
  };
}

/** Pooled mean and unit (3 pooled s.d.) of the live arms' numeric rewards. */
export function rewardScale(
  sums: SumsState,
  arms: readonly Arm[],
  options: ResolvedOptions,
): { center: number; unit: number } {
  if (options.reward === 'binary' || !arms.some((arm) => arm.isLive)) return { center: 0, unit: 0 };
  const { pooledMean, pooledVariance } = liveSums(sums, arms, options);
  return { center: pooledMean, unit: 3 * Math.sqrt(pooledVariance) };
}

/** Trials before which an arm without trials counts as there from the start. */
const startTrials = 200;

/**
 * Log-odds at which an arm without trials starts: logit((S + .5) / (N + 1)) of the arms named, if the experiment is
 * under way (ALGORITHMS, rule 5); 0, even odds, for an arm that is there from the start.
 *
 * @param isCounted which arms' sums count
 */
export function startIntercept(
  sums: SumsState,
  armIndex: number,
  isCounted: (armIndex: number) => boolean,
  arm?: Arm,
): number {
  if (arm?.isOriginal ?? existedBefore(sums, armIndex)) return 0;
  let n = 0;
  let s = 0;
  for (let i = 0; i < nArmsOf(sums); i++) {
    if (i === armIndex || !isCounted(i)) continue;
    n += sums.rows[i * nColumns + column.n]!;
    s += sums.rows[i * nColumns + column.s]!;
  }
  return logit((s + 0.5) / (n + 1));
}

/** Indices are handed out in order, so an arm was there when an arm of a higher index had its first trial. */
function existedBefore(sums: SumsState, armIndex: number): boolean {
  if (sums.nTrials < startTrials) return true;
  for (let i = armIndex; i < nArmsOf(sums); i++) {
    const first = sums.rows[i * nColumns + column.first]!;
    if (first >= 0 && first < startTrials) return true;
  }
  return false;
}

function columnOf(sums: SumsState, which: number): Float64Array {
  return Float64Array.from({ length: nArmsOf(sums) }, (_, i) => sums.rows[i * nColumns + which]!);
}
