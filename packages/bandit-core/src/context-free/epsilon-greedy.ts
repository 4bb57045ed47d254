import type { ResolvedOptions } from '../resolve-options.ts';
import type { LiveSums } from './live-sums.ts';

/**
 * All probability on the arms with the highest mean, ties shared by weight: what remains 1 - e of the time. The
 * exploration e is mixed in afterwards, as a floor of `greedyEpsilon`.
 *
 * An untried arm counts as mean 0 for binary rewards (all start equal, and one success ends the tie) and as the pooled
 * mean for numeric ones, whose zero means nothing.
 *
 * @returns shape [K], sums to 1
 */
export function greedyPmf(live: LiveSums, options: ResolvedOptions): Float64Array {
  const untried = options.reward === 'binary' ? 0 : live.pooledMean;
  const means = live.mean.map((mean, k) => (live.n[k]! > 0 ? mean : untried));
  const best = means.reduce((largest, mean) => Math.max(largest, mean), -Infinity);
  const ties = live.shares.map((share, k) => (means[k] === best ? share : 0));
  const total = ties.reduce((sum, share) => sum + share, 0);
  return ties.map((share) => share / total);
}

/**
 * Exploration probability: the constant `epsilon`, or min(1, cK/t) with t = trials folded so far.
 * Source: Auer, Cesa-Bianchi, Fischer (2002), figure 3, with c for their c / d^2.
 */
export function greedyEpsilon(nTrials: number, nLive: number, options: ResolvedOptions): number {
  if (options.decay === undefined) return options.epsilon;
  return Math.min(1, (options.decay * nLive) / Math.max(1, nTrials));
}
