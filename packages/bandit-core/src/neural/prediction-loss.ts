import type { Link } from '../linear/link.ts';

/** Probabilities are kept this far from 0 and 1 in the loss. */
const margin = 1e-4;

/**
 * How much worse the linear model predicted than the neural one: difference of cross-entropies for binary rewards, of
 * squared errors in pooled s.d. for numeric ones (0 while rewards have no spread).
 *
 * @param predictions [linear, neural], as `Decision.predictions` logged them
 * @param sd pooled s.d. of numeric rewards
 */
export function lossDifference(
  link: Link,
  predictions: readonly number[],
  reward: number,
  sd: number,
): number {
  const [linear, neural] = [predictions[0]!, predictions[1]!];
  if (link === 'logistic') return crossEntropy(linear, reward) - crossEntropy(neural, reward);
  return squaredError(linear, reward, sd) - squaredError(neural, reward, sd);
}

function crossEntropy(p: number, reward: number): number {
  const inside = Math.min(1 - margin, Math.max(margin, p));
  return -reward * Math.log(inside) - (1 - reward) * Math.log(1 - inside);
}

function squaredError(predicted: number, reward: number, sd: number): number {
  return sd > 0 ? Math.min(1e6, ((reward - predicted) / sd) ** 2) : 0;
}
