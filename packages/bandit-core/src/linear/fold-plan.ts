import type { Fact, RewardFact, TrialFact } from '../policy.ts';

/** One step of a fold: a trial with its final label, or the correction of a trial that an earlier chunk learned. */
export type FoldStep =
  | { readonly kind: 'trial'; readonly fact: TrialFact; readonly label: number }
  | { readonly kind: 'correction'; readonly fact: RewardFact };

/**
 * Orders a chunk's facts for models where order matters (ALGORITHMS, LINEAR_CONTEXTUAL): trials in their order, each
 * once, with the last reward that the chunk holds for it; rewards of earlier chunks' trials as corrections, in their
 * order, spread evenly between the trials. One lump of corrections after a lump of zeros would overshoot.
 *
 * @throws RangeError naming the first reward whose `trialPosition` is not an earlier trial of its arm
 */
export function planFold(facts: readonly Fact[]): FoldStep[] {
  const labels = new Float64Array(facts.length);
  const corrections: FoldStep[] = [];
  facts.forEach((fact, position) => {
    if (fact.kind === 'trial') return;
    if (fact.trialPosition === undefined) {
      corrections.push({ kind: 'correction', fact });
      return;
    }
    checkTrialPosition(facts, fact, position);
    labels[fact.trialPosition] = fact.reward;
  });
  const trials = facts.flatMap((fact, position): FoldStep[] =>
    fact.kind === 'trial' ? [{ kind: 'trial', fact, label: labels[position]! }] : [],
  );
  return spread(trials, corrections);
}

function checkTrialPosition(facts: readonly Fact[], fact: RewardFact, position: number): void {
  const at = fact.trialPosition!;
  const trial = at < position ? facts[at] : undefined;
  if (trial?.kind === 'trial' && trial.armIndex === fact.armIndex) return;
  throw new RangeError(
    `trialPosition of fact ${position} must be that of an earlier trial of arm ${fact.armIndex}, got ${at}`,
  );
}

/** Puts `few[i]` after the first (i + 1) / (few.length + 1) of `many`. */
function spread(many: readonly FoldStep[], few: readonly FoldStep[]): FoldStep[] {
  const steps: FoldStep[] = [];
  let next = 0;
  many.forEach((step, i) => {
    steps.push(step);
    while (next < few.length && (next + 1) * many.length <= (i + 1) * (few.length + 1))
      steps.push(few[next++]!);
  });
  return [...steps, ...few.slice(next)];
}
