import {
  type Arm,
  type ArmSums,
  betOnTrial,
  type Context,
  checkDailyWinner,
  checkRandomisedWinner,
  checkWinner,
  createLearner,
  drawNormal,
  type Fact,
  isAsymptotic,
  judgeArms,
  numericInterval,
  type Policy,
  type PolicySpec,
  preparePolicy,
  type RateCounts,
  rateInterval,
  type SeededRng,
  startBetting,
} from '@bandit/core';

export interface PeekingGame {
  readonly name: string;
  readonly nSteps: number;
  /** Trials between looks, and between state versions. */
  readonly batch: number;
  /** shape [K]: success rates of the plain game */
  readonly rates: readonly number[];
  readonly alpha: number;
}

/** What each rule did in one run: 1 it ever declared (or an interval ever missed), 0 it never did. */
export type Verdicts = Map<string, number>;

/** Plays one run. @throws RangeError for an unknown game */
export function playPeeking(game: PeekingGame, rng: SeededRng): Verdicts {
  switch (game.name) {
    case 'plain':
      return playPlain(game, rng);
    case 'daily':
      return playDaily(game, rng);
    case 'contextual':
      return playContextual(game, rng);
    case 'numeric':
      return playNumeric(game, rng);
    default:
      throw new RangeError(`game must be plain, daily, contextual or numeric, got ${game.name}`);
  }
}

/** One trial as the world sees it. */
interface World {
  readonly spec: PolicySpec;
  context(step: number): Context | undefined;
  /** Reward of an arm at a step. */
  reward(armIndex: number, step: number, context: Context | undefined): number;
}

interface Trial {
  readonly armIndex: number;
  readonly propensity: number;
  readonly reward: number;
  readonly step: number;
}

/** Serves and learns batch by batch and calls `look` after each. */
function playBatches(game: PeekingGame, world: World, rng: SeededRng, look: (trials: Trial[]) => void): void {
  const arms: Arm[] = Array.from({ length: game.rates.length }, () => ({
    weight: 1,
    isLive: true,
    isOriginal: true,
  }));
  const learner = createLearner(world.spec);
  for (let start = 0; start < game.nSteps; start += game.batch) {
    const serving = start > 0 ? learner.encodeServing(arms, game.batch) : undefined;
    const policy = preparePolicy(world.spec, serving, arms);
    const facts: Fact[] = [];
    const trials: Trial[] = [];
    for (let step = start; step < start + game.batch; step++)
      trials.push(serve(policy, world, step, rng, facts));
    learner.fold(facts);
    look(trials);
  }
}

function serve(policy: Policy, world: World, step: number, rng: SeededRng, facts: Fact[]): Trial {
  const context = world.context(step);
  const { armIndex, propensity, predictions } = policy.decide(context, rng.uniform());
  const reward = world.reward(armIndex, step, context);
  const common = { armIndex, context, propensity, predictions };
  facts.push({ kind: 'trial', ...common });
  if (reward !== 0) {
    const trialPosition = facts.length - 1;
    facts.push({
      kind: 'reward',
      ...common,
      previous: 0,
      reward,
      isFirst: true,
      trialPosition,
      trialNumber: undefined,
    });
  }
  return { armIndex, propensity, reward, step };
}

/** Sums per arm so far. */
function addTrials(sums: ArmSums[], trials: readonly Trial[]): ArmSums[] {
  const next = sums.map((own) => ({ ...own }));
  for (const { armIndex, reward } of trials) {
    const own = next[armIndex]!;
    own.n += 1;
    own.s += reward;
    own.s2 += reward * reward;
  }
  return next;
}

const noSums = (nArms: number): ArmSums[] => Array.from({ length: nArms }, () => ({ n: 0, s: 0, s2: 0 }));

/** Remembers that a rule fired at some look. */
function note(verdicts: Verdicts, rule: string, isFired: boolean): void {
  verdicts.set(rule, Math.max(verdicts.get(rule) ?? 0, Number(isFired)));
}

const thompson: PolicySpec = { algorithm: 'THOMPSON_SAMPLING', config: {} };

/** Constant rates under Thompson sampling at its default floor. */
function playPlain(game: PeekingGame, rng: SeededRng): Verdicts {
  const { rates } = game;
  const best = Math.max(...rates);
  const verdicts: Verdicts = new Map();
  let sums = noSums(game.rates.length);
  const world: World = {
    spec: thompson,
    context: () => undefined,
    reward: (armIndex) => Number(rng.uniform() < rates[armIndex]!),
  };
  playBatches(game, world, rng, (trials) => {
    sums = addTrials(sums, trials);
    note(verdicts, 'naive: P(best) > 1 - alpha', isLikelyBest(sums, game.alpha));
    const check = checkWinner(sums, game.alpha);
    note(verdicts, 'e-process winner', check.isDeclared);
    note(verdicts, 'e-process calls a best one', check.isDeclared && rates[check.leader!] === best);
    const isMissed = sums.some((own, k) =>
      isOutside(rateInterval(own, game.alpha / game.rates.length), rates[k]!),
    );
    note(verdicts, 'a sequence misses its rate', isMissed);
  });
  return verdicts;
}

function isLikelyBest(sums: readonly ArmSums[], alpha: number): boolean {
  return judgeArms(sums, 'binary').some(({ probabilityBest }) => probabilityBest > 1 - alpha);
}

function isOutside({ lower, upper }: { lower: number; upper: number }, value: number): boolean {
  return value < lower || value > upper;
}

/** Equal treatments on every day, but the rate of the day swings between 2 % and 8 %; ten days. */
function playDaily(game: PeekingGame, rng: SeededRng): Verdicts {
  const verdicts: Verdicts = new Map();
  const dayOf = (step: number) => Math.floor((10 * step) / game.nSteps);
  const days: RateCounts[][] = [];
  let sums = noSums(game.rates.length);
  const world: World = {
    spec: thompson,
    context: () => undefined,
    reward: (_armIndex, step) => Number(rng.uniform() < 0.05 + 0.03 * Math.sin(dayOf(step) * 2)),
  };
  playBatches(game, world, rng, (trials) => {
    sums = addTrials(sums, trials);
    const day = dayOf(trials[0]!.step);
    days[day] = addTrials((days[day] as ArmSums[] | undefined) ?? noSums(game.rates.length), trials);
    note(verdicts, 'naive: P(best) > 1 - alpha', isLikelyBest(sums, game.alpha));
    note(verdicts, 'e-process on totals', checkWinner(sums, game.alpha).isDeclared);
    note(verdicts, 'daily e-process', checkDailyWinner(days, game.alpha).isDeclared);
  });
  return verdicts;
}

/** Two segments, rates .15 and .02, arms equal within each: the linear policy still leans by segment. */
function playContextual(game: PeekingGame, rng: SeededRng): Verdicts {
  const verdicts: Verdicts = new Map();
  const floor = 0.1;
  const betting = startBetting(game.rates.length, floor / game.rates.length);
  const rates: Record<string, number> = { member: 0.15, visitor: 0.02 };
  let sums = noSums(game.rates.length);
  const world: World = {
    spec: { algorithm: 'LINEAR_CONTEXTUAL', config: { explorationFloor: floor } },
    context: () => ({ segment: rng.uniform() < 0.5 ? 'member' : 'visitor' }),
    reward: (_armIndex, _step, context) => Number(rng.uniform() < rates[String(context!.segment)]!),
  };
  playBatches(game, world, rng, (trials) => {
    sums = addTrials(sums, trials);
    for (const trial of trials) betOnTrial(betting, trial);
    note(verdicts, 'naive: P(best) > 1 - alpha', isLikelyBest(sums, game.alpha));
    note(verdicts, 'e-process on sums', checkWinner(sums, game.alpha).isDeclared);
    note(verdicts, 'randomisation e-process', checkRandomisedWinner(betting, game.alpha).isDeclared);
  });
  return verdicts;
}

/** Skewed values in [0, 20] with mean about .26 under numeric Thompson sampling: do intervals keep their mean, and do they name a winner? */
function playNumeric(game: PeekingGame, rng: SeededRng): Verdicts {
  const verdicts: Verdicts = new Map();
  let sums = noSums(game.rates.length);
  const nRewarded = game.rates.map(() => 0);
  const world: World = {
    spec: { algorithm: 'THOMPSON_SAMPLING', config: { reward: 'numeric', valueRange: [0, 20] } },
    context: () => undefined,
    reward: () => (rng.uniform() < 0.1 ? Math.min(20, Math.exp(0.5 + drawNormal(rng))) : 0),
  };
  playBatches(game, world, rng, (trials) => {
    sums = addTrials(sums, trials);
    const level = game.alpha / game.rates.length;
    const misses = (range?: [number, number]) =>
      sums.some((own) => isOutside(numericInterval(own, level, range), numericMean));
    note(verdicts, 'exact interval misses', misses([0, 20]));
    note(verdicts, 'asymptotic interval misses', misses());
    const isLarge = sums.every(({ n }) => n >= 1000);
    note(verdicts, 'asymptotic interval misses, 1,000 trials each', isLarge && misses());
    for (const { armIndex, reward } of trials) nRewarded[armIndex]! += Number(reward !== 0);
    const isApart = areSeparated(sums, level);
    const isKnown = sums.every(({ n }, k) => isAsymptotic({ n, nRewarded: nRewarded[k]! }));
    note(verdicts, 'separated asymptotic intervals', isApart);
    note(verdicts, 'separated asymptotic intervals, enough trials', isApart && isKnown);
  });
  return verdicts;
}

/** Whether one treatment's interval lies above all others. */
function areSeparated(sums: readonly ArmSums[], level: number): boolean {
  const intervals = sums.map((own) => numericInterval(own, level));
  return intervals.some(({ lower }, b) => intervals.every(({ upper }, k) => k === b || upper < lower));
}

/**
 * .1 E min(20, X), X lognormal(.5, 1): .1 [e^(.5 + .5) Phi(ln 20 - .5 - 1) + 20 (1 - Phi(ln 20 - .5))]
 * = .1 [2.718282 Phi(1.495732) + 20 (1 - Phi(2.495732))] = .1 [2.718282 * .932639 + 20 * .0062850] = .266087
 */
const numericMean = 0.266087;
