import type { Results, TreatmentResult } from '@bandit/contracts';
import { type Arm, type PolicySpec, preparePolicy, type ResolvedOptions, resolveOptions } from '@bandit/core';
import type { ExperimentRow, RewardedTrial, ServingState, TreatmentRow } from '@bandit/db';
import { countPending, type WindowStart } from './count-pending.ts';
import { inferResults } from './infer-results.ts';
import { alpha, type InferredTreatment, type MeasuredTreatment } from './measured-treatment.ts';
import { sumDays, type TreatmentDay } from './sum-days.ts';

/** All that is read of one experiment, at one moment. */
export interface ResultsInput {
  readonly experiment: ExperimentRow;
  /** Removed ones included; the index IS the arm index. */
  readonly treatments: readonly TreatmentRow[];
  readonly days: readonly TreatmentDay[];
  readonly state: ServingState | undefined;
  readonly start: WindowStart | undefined;
  /** Trials per treatment id whose window is open, of the day in which windows begin to be open. */
  readonly openOnFirstDay: ReadonlyMap<string, number>;
  /** Of a contextual experiment that could have a winner; undefined when not read. */
  readonly rewarded: readonly RewardedTrial[] | undefined;
  /** Database time. */
  readonly nowMs: number;
}

/** Options of an experiment with every default filled in. */
export function optionsOf(experiment: ExperimentRow): ResolvedOptions {
  return resolveOptions(specOf(experiment));
}

const specOf = (experiment: ExperimentRow): PolicySpec => ({
  algorithm: experiment.algorithm,
  config: experiment.algorithm_config as PolicySpec['config'],
});

/** The results page of one experiment. A removed treatment is shown while it has history. */
export function buildResults(input: ResultsInput): Results {
  const { experiment, treatments, state, nowMs } = input;
  const options = optionsOf(experiment);
  const measured = treatments.map((treatment) => measure(treatment, input.days));
  const policy = currentPolicy(input);
  const inference = inferResults(options, measured, policy?.confidence, {
    rewarded: input.rewarded,
    weights: treatments.map((treatment) => treatment.weight),
  });
  const lines = treatments.map((treatment, k) =>
    presentLine(treatment, measured[k]!, input, inference.treatments[k]!, policy?.pmf[k] ?? 0),
  );
  const shown = lines.filter((line) => !line.isRemoved || line.trials > 0 || line.late > 0);
  return {
    experimentId: experiment.id,
    status: experiment.status,
    algorithm: experiment.algorithm,
    reward: options.reward,
    attributionWindow: options.attributionWindow,
    level: 1 - alpha,
    treatments: shown,
    totals: addLines(shown),
    winner: inference.winner,
    winnerIfRatesConstant: inference.winnerIfRatesConstant,
    state: {
      version: state?.version ?? 0,
      trials: state?.n_trials ?? 0,
      updatedAt: state?.updated_at.toISOString() ?? null,
      ageMs: state === undefined ? null : Math.max(0, nowMs - state.updated_at.getTime()),
    },
    methods: inference.methods,
  };
}

function measure(treatment: TreatmentRow, days: readonly TreatmentDay[]): MeasuredTreatment {
  const own = days.filter((day) => day.treatment_id === treatment.id);
  return {
    id: treatment.id,
    name: treatment.name,
    isLive: treatment.removed_at === null,
    totals: sumDays(own),
    days: own,
  };
}

/** What a request without context gets now; undefined without a live treatment. */
function currentPolicy({ experiment, treatments, state }: ResultsInput) {
  const arms: Arm[] = treatments.map((treatment) => ({
    weight: treatment.weight,
    isLive: treatment.removed_at === null,
    isOriginal: treatment.is_original,
  }));
  if (!arms.some((arm) => arm.isLive)) return undefined;
  const policy = preparePolicy(specOf(experiment), state?.serving, arms);
  return { pmf: policy.pmf(undefined), confidence: policy.confidence(undefined) };
}

function presentLine(
  treatment: TreatmentRow,
  { totals, days, isLive }: MeasuredTreatment,
  { start, openOnFirstDay }: ResultsInput,
  inferred: InferredTreatment,
  currentProbability: number,
): TreatmentResult {
  const pending = countPending(days, start, openOnFirstDay.get(treatment.id) ?? 0);
  return {
    id: treatment.id,
    name: treatment.name,
    isControl: treatment.is_control,
    isRemoved: !isLive,
    trials: totals.trials,
    conversions: totals.successes,
    matured: totals.trials - pending,
    pending,
    late: totals.late,
    rewardSum: totals.rewardSum,
    ...inferred,
    currentProbability,
  };
}

function addLines(lines: readonly TreatmentResult[]): Results['totals'] {
  const total = (name: 'trials' | 'conversions' | 'matured' | 'pending' | 'late' | 'rewardSum') =>
    lines.reduce((sum, line) => sum + line[name], 0);
  const trials = total('trials');
  const rewardSum = total('rewardSum');
  return {
    trials,
    conversions: total('conversions'),
    matured: total('matured'),
    pending: total('pending'),
    late: total('late'),
    rewardSum,
    rewardMean: trials === 0 ? null : rewardSum / trials,
  };
}
