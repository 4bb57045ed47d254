/**
 * Learner of NEURAL_CONTEXTUAL, "wide neural-linear" (Riquelme, Tucker & Snoek 2018): a hidden layer trained off-thread,
 * Bayesian regressions over [hidden, x], the plain LINEAR head beside them, and a race that says which one is served.
 *
 * The learner process alone writes it. Modes: no network yet (the linear head alone), network, and either of them with a
 * swap pending; `beginSwap` and the last `refitSlice` move between them. Training reads a copy (`job`) and comes back
 * through `beginSwap`, which the platform records with its place among the chunks. Bounded: 4,096 replay rows, one queue of
 * the same size, 64 + 256 columns an arm. A crash loses what was folded since the last `encode`.
 */
import { columnsMax } from '../context/context-encoder.ts';
import { SparseVector } from '../context/sparse-vector.ts';
import { foldSums } from '../context-free/fold-sums.ts';
import { nArmsOf } from '../context-free/sums-state.ts';
import { armSumsOf } from '../linear/arm-sums.ts';
import { coefficientPrecision } from '../linear/coefficient-prior.ts';
import { linkOf, rewardScale, startIntercept } from '../linear/contextual-settings.ts';
import { type FoldStep, planFold } from '../linear/fold-plan.ts';
import type { FeatureSpace } from '../linear/regression-head.ts';
import type { PolicySpec } from '../options.ts';
import type {
  Arm,
  ArmSums,
  Fact,
  Learner,
  LearnerTraining,
  RewardFact,
  TrainingJob,
  TrialFact,
} from '../policy.ts';
import { type ResolvedOptions, resolveOptions } from '../resolve-options.ts';
import { encodeNeuralServing } from './neural-serving.ts';
import { decodeNeuralState, emptyNeuralState, encodeNeuralState, type NeuralState } from './neural-state.ts';
import { PendingSwap } from './pending-swap.ts';
import { lossDifference } from './prediction-loss.ts';
import { quantise } from './replay-buffer.ts';
import { encodeTrainingJob, stepsPerRound } from './train-network.ts';
import { firstTraining, nextTrainingAt } from './training-schedule.ts';

/** @throws RangeError for a bad option */
export function createNeuralLearner(spec: PolicySpec): Learner {
  const options = resolveOptions(spec);
  return new NeuralLearner(options, emptyNeuralState(linkOf(options), firstTraining));
}

/** @throws RangeError for a bad option, bytes that are not such a state, or of a version that this code cannot read */
export function decodeNeuralLearner(spec: PolicySpec, bytes: Uint8Array): Learner {
  const options = resolveOptions(spec);
  return new NeuralLearner(options, decodeNeuralState(bytes, linkOf(options)));
}

class NeuralLearner implements Learner, LearnerTraining {
  readonly #options: ResolvedOptions;
  readonly #state: NeuralState;
  readonly #x = new SparseVector(columnsMax);

  constructor(options: ResolvedOptions, state: NeuralState) {
    this.#options = options;
    this.#state = state;
  }

  get training(): LearnerTraining {
    return this;
  }

  get nTrials(): number {
    return this.#state.sums.nTrials;
  }

  fold(facts: readonly Fact[]): number {
    const { sums, race } = this.#state;
    const steps = planFold(facts);
    const next = foldSums(sums, facts, this.#options);
    const sd = this.#rewardScale() / 3;
    for (const step of steps) this.#apply(step, sd);
    race.decide();
    this.#state.sums = next;
    return sums.nTrials;
  }

  sums(): ArmSums[] {
    return armSumsOf(this.#state.sums);
  }

  encode(): Uint8Array {
    return encodeNeuralState(this.#state);
  }

  encodeServing(arms: readonly Arm[], _nTrialsSinceLast: number): Uint8Array {
    const scale = rewardScale(this.#state.sums, arms, this.#options);
    return encodeNeuralServing(this.#state, arms, scale, this.#precision());
  }

  isDue(): boolean {
    const { pending, sums, nextTraining } = this.#state;
    return !pending && sums.nTrials >= nextTraining;
  }

  job(seed: number): TrainingJob {
    const { rows, model, encoder, sums } = this.#state;
    const isBinary = this.#options.reward === 'binary';
    const size = { nColumns: encoder.nColumns, nArms: nArmsOf(sums), isBinary };
    return { seed, nSteps: stepsPerRound, payload: encodeTrainingJob(rows, model?.networkBytes, size) };
  }

  /** @throws Error while another swap is pending; RangeError when the bytes are not a network */
  beginSwap(network: Uint8Array): void {
    const state = this.#state;
    if (state.pending) throw new Error('a swap must be complete before the next one begins');
    const intercepts = Array.from({ length: nArmsOf(state.sums) }, (_, arm) => this.#intercept(arm));
    state.pending = new PendingSwap(linkOf(this.#options), {
      networkBytes: network.slice(),
      rows: state.rows.clone(),
      precision: this.#precision(),
      intercepts,
    });
    state.nextTraining = nextTrainingAt(state.sums.nTrials);
  }

  refitSlice(nRows: number): boolean {
    const { pending } = this.#state;
    if (!pending) return true;
    pending.advance(nRows);
    if (!pending.isComplete) return false;
    this.#state.model = pending.model;
    this.#state.pending = undefined;
    return true;
  }

  #apply(step: FoldStep, sd: number): void {
    const { encoder, pending } = this.#state;
    const { context } = step.fact;
    if (step.kind === 'trial') encoder.observe(context);
    encoder.encode(context, this.#x);
    quantise(this.#x);
    if (step.kind === 'trial') this.#learnTrial(step.fact, step.label, sd);
    else this.#correct(step.fact, sd);
    if (pending?.isQueueFull) while (!this.refitSlice(Number.MAX_SAFE_INTEGER));
  }

  #learnTrial(fact: TrialFact, label: number, sd: number): void {
    const { linear, model, rows, pending, race } = this.#state;
    const { armIndex } = fact;
    this.#addArms(armIndex);
    linear.learn(
      armIndex,
      this.#x,
      this.#space(),
      label,
      linear.findArm(armIndex) ? 0 : this.#intercept(armIndex),
    );
    model?.learn(armIndex, this.#x, label);
    rows.push(armIndex, label, this.#x);
    pending?.addTrial(armIndex, this.#x, label);
    race.advance();
    const weight = this.#raceWeight(fact);
    if (weight > 0) race.compare(lossDifference(linear.link, fact.predictions!, label, sd), weight);
  }

  #correct(fact: RewardFact, sd: number): void {
    const { linear, model, rows, pending, race, sums } = this.#state;
    const { armIndex, previous, reward, trialNumber } = fact;
    linear.correct(armIndex, this.#x, this.#space(), previous, reward);
    model?.correct(armIndex, this.#x, reward - previous);
    if (trialNumber !== undefined) rows.setLabel(trialNumber, reward);
    pending?.addCorrection(armIndex, this.#x, reward - previous);
    const weight = this.#raceWeight(fact);
    if (!(weight > 0)) return;
    const [before, after] = [previous, reward].map((r) =>
      lossDifference(linear.link, fact.predictions!, r, sd),
    );
    race.revise(before!, after!, weight, Math.max(0, sums.nTrials - (trialNumber ?? sums.nTrials)));
  }

  /** min(1/p, 2K); 0 where nothing was logged that could be compared. */
  #raceWeight({ propensity, predictions }: Fact): number {
    if (!(propensity !== undefined && propensity > 0) || predictions?.length !== 2) return 0;
    return Math.min(1 / propensity, 2 * nArmsOf(this.#state.sums));
  }

  #space(): FeatureSpace {
    return { nColumns: this.#state.encoder.nColumns, biasColumn: 0, precision: this.#precision() };
  }

  /** Tells both models where an arm that they have not met starts, and the arms of lower index with it. */
  #addArms(armIndex: number): void {
    for (const model of [this.#state.model, this.#state.pending]) {
      if (!model || model.nArms > armIndex) continue;
      const { nArms } = model;
      model.addArms(Array.from({ length: armIndex + 1 - nArms }, (_, i) => this.#intercept(nArms + i)));
    }
  }

  #precision(): number {
    return coefficientPrecision(this.#options.regularization, this.#state.encoder.meanEntries);
  }

  #intercept(armIndex: number): number {
    if (this.#options.reward !== 'binary') return 0;
    return startIntercept(this.#state.sums, armIndex, () => true);
  }

  /** 3 pooled s.d. of numeric rewards before this chunk, over every arm; 0 for binary ones. */
  #rewardScale(): number {
    if (this.#options.reward === 'binary' || nArmsOf(this.#state.sums) === 0) return 0;
    const arms = Array.from({ length: nArmsOf(this.#state.sums) }, (): Arm => ({ weight: 1, isLive: true }));
    return rewardScale(this.#state.sums, arms, this.#options).unit;
  }
}
