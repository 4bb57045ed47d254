/** Trials before the first training round. */
export const firstTraining = 100;

/**
 * Trial count at which a round pays again: a fifth more trials than at the last one, at least 50 and at most 1,000
 * more. Early rounds bring the most; later ones follow the replay buffer, which turns over in 4,096 trials.
 */
export function nextTrainingAt(nTrials: number): number {
  return nTrials + Math.min(1000, Math.max(50, Math.floor(nTrials / 5)));
}
