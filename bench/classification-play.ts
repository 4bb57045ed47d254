import {
  type Arm,
  createLearner,
  createRng,
  type Fact,
  type Learner,
  type Policy,
  type PolicySpec,
  preparePolicy,
  type RewardFact,
  type SeededRng,
  trainNetwork,
} from '@bandit/core';
import type { LabelledRow } from './classification-data.ts';

export interface Game {
  readonly rows: readonly LabelledRow[];
  /** Row numbers in the order of serving. */
  readonly order: readonly number[];
  readonly nArms: number;
  readonly spec: PolicySpec;
  readonly seed: number;
  /** Rows between folds, >= 1. */
  readonly batch: number;
  /** Rows until a reward arrives; 0: together with its trial. */
  readonly delay: number;
}

export interface Score {
  readonly meanReward: number;
  readonly decideMicros: number;
  readonly learnMicros: number;
  /** Milliseconds of each training round. */
  readonly trainingMs: readonly number[];
}

/** Plays one seed from nothing. */
export function playClassification(game: Game): Score {
  const player = new Player(game);
  for (let step = 0; step < game.order.length; step++) {
    player.serve(step);
    if ((step + 1) % game.batch === 0) player.learn(step);
  }
  return player.score();
}

class Player {
  readonly #game: Game;
  readonly #arms: readonly Arm[];
  readonly #rng: SeededRng;
  readonly #learner: Learner;
  readonly #trainingMs: number[] = [];
  #policy: Policy;
  #facts: Fact[] = [];
  /** Rewards on their way, oldest first. */
  #pending: { readonly step: number; readonly reward: RewardFact }[] = [];
  #nRight = 0;
  #decideMs = 0;
  #learnMs = 0;

  constructor(game: Game) {
    this.#game = game;
    this.#arms = Array.from({ length: game.nArms }, () => ({ weight: 1, isLive: true, isOriginal: true }));
    this.#rng = createRng(game.seed);
    this.#learner = createLearner(game.spec);
    this.#policy = preparePolicy(game.spec, undefined, this.#arms);
  }

  serve(step: number): void {
    const { context, arm } = this.#game.rows[this.#game.order[step]!]!;
    const uniform = this.#rng.uniform();
    const start = performance.now();
    const { armIndex, propensity, predictions } = this.#policy.decide(context, uniform);
    this.#decideMs += performance.now() - start;
    const served = { armIndex, context, propensity, predictions };
    this.#facts.push({ kind: 'trial', ...served });
    if (armIndex !== arm) return;
    this.#nRight++;
    const reward = { kind: 'reward', ...served, previous: 0, reward: 1, isFirst: true } as const;
    this.#pending.push({ step, reward: { ...reward, trialPosition: undefined, trialNumber: step } });
  }

  learn(step: number): void {
    const { batch, delay, spec } = this.#game;
    const firstStep = step + 1 - batch;
    while (this.#pending.length > 0 && this.#pending[0]!.step + delay <= step) {
      const due = this.#pending.shift()!;
      const trialPosition = due.step >= firstStep ? due.step - firstStep : undefined;
      this.#facts.push({ ...due.reward, trialPosition });
    }
    const start = performance.now();
    this.#learner.fold(this.#facts);
    this.#learnMs += performance.now() - start;
    this.#facts = [];
    this.#train(step);
    this.#policy = preparePolicy(spec, this.#learner.encodeServing(this.#arms, batch), this.#arms);
  }

  score(): Score {
    const nSteps = this.#game.order.length;
    return {
      meanReward: this.#nRight / nSteps,
      decideMicros: (1000 * this.#decideMs) / nSteps,
      learnMicros: (1000 * this.#learnMs) / nSteps,
      trainingMs: this.#trainingMs,
    };
  }

  #train(step: number): void {
    const { training } = this.#learner;
    if (!training?.isDue()) return;
    const start = performance.now();
    const network = trainNetwork(training.job(step));
    this.#trainingMs.push(performance.now() - start);
    training.beginSwap(network);
    while (!training.refitSlice(64));
  }
}
