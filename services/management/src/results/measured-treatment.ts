import type { ResultMethod, WinnerStatement } from '@bandit/contracts';
import type { TreatmentDay, TreatmentTotals } from './sum-days.ts';

/** 95 % intervals, and at most 5 % of experiments ever name a wrong winner. */
export const alpha = 0.05;

/** One treatment with its counters, by arm index. */
export interface MeasuredTreatment {
  readonly id: string;
  readonly name: string;
  readonly isLive: boolean;
  readonly totals: TreatmentTotals;
  readonly days: readonly TreatmentDay[];
}

export interface InferredTreatment {
  readonly rewardMean: number | null;
  readonly interval: { readonly lower: number | null; readonly upper: number | null } | null;
  /** null for a treatment that can no longer be chosen. */
  readonly probabilityBest: number | null;
  readonly expectedLoss: number | null;
}

export interface Inference {
  /** By arm index. */
  readonly treatments: readonly InferredTreatment[];
  readonly winner: WinnerStatement;
  readonly winnerIfRatesConstant: WinnerStatement | null;
  readonly methods: Readonly<
    Record<'rewardMean' | 'interval' | 'probabilityBest' | 'expectedLoss', ResultMethod>
  >;
}

/** What the families share: everything but P(best) and loss of context-free experiments. */
export interface FamilyInference {
  readonly means: readonly (number | null)[];
  readonly intervals: readonly InferredTreatment['interval'][];
  readonly winner: WinnerStatement;
  readonly winnerIfRatesConstant: WinnerStatement | null;
  readonly methods: Readonly<Record<'rewardMean' | 'interval', ResultMethod>>;
}
