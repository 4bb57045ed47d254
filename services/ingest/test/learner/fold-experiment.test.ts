import { createLearner, createRng, preparePolicy, trainNetwork } from '@bandit/core';
import type { FactRow, LearnerExperiment } from '@bandit/db';
import t from 'tap';
import { createDayChanges } from '../../src/learner/day-changes.ts';
import { foldExperiment, learningSpec } from '../../src/learner/fold-experiment.ts';

const arms = [0, 1].map(() => ({ weight: 1, isLive: true, isOriginal: true }));
const experiment = {
  companyId: 'c',
  experimentId: 'e',
  partition: 0,
  algorithm: 'NEURAL_CONTEXTUAL',
  algorithmConfig: {},
  status: 'active',
  arms,
} as unknown as LearnerExperiment;

interface Trial {
  readonly nonce: string;
  readonly armIndex: number;
  readonly context: { readonly segment: string };
}

t.test('a reward that comes a chunk after its trial reaches what the network is trained on', async (t) => {
  const seed = 3;
  t.comment(`seed ${seed}`);
  const rng = createRng(seed);
  const spec = learningSpec(experiment);
  const learner = createLearner(spec);
  const outcomes = new Map();
  const days = createDayChanges('binary');
  let rewarded: Trial[] = [];
  let nTrials = 0;
  for (let chunk = 0; chunk < 40; chunk += 1) {
    const trials = Array.from({ length: 50 }, () => drawTrial(rng, nTrials++));
    const rows = [
      ...rewarded.map((trial, i) => factOf('reward', trial, chunk, i, chunk - 1)),
      ...trials.map((trial, i) => factOf('trial', trial, chunk, rewarded.length + i, chunk)),
    ];
    const fold = { spec, isArchived: false, learner, rows, outcomes, days };
    await foldExperiment(fold, async () => undefined);
    rewarded = trials.filter(() => rng.uniform() < 0.5);
  }
  const { training } = learner;
  if (training === undefined) throw new Error('the neural learner has no training');
  training.beginSwap(trainNetwork(training.job(1)));
  while (!training.refitSlice(16));
  const policy = preparePolicy(spec, learner.encodeServing(arms, 50), arms);
  // Half of all trials were rewarded, whatever arm and context: both models must say about .5.
  const [linear, neural] = policy.decide({ segment: 'a' }, 0.1).predictions as readonly [number, number];
  t.ok(Math.abs(linear - 0.5) < 0.1, `linear predicts ${linear}`);
  t.ok(Math.abs(neural - 0.5) < 0.1, `neural predicts ${neural}`);
});

function drawTrial(rng: { uniform(): number }, n: number): Trial {
  const armIndex = rng.uniform() < 0.5 ? 0 : 1;
  return { nonce: `n${n}`, armIndex, context: { segment: rng.uniform() < 0.5 ? 'a' : 'b' } };
}

function factOf(
  kind: 'trial' | 'reward',
  trial: Trial,
  batch: number,
  position: number,
  trialBatch: number,
): FactRow {
  return {
    companyId: 'c',
    experimentId: 'e',
    treatmentId: `t${trial.armIndex}`,
    kind,
    factId: kind + trial.nonce,
    batch,
    position,
    propensity: 0.5,
    predictions: undefined,
    assignedAtMs: 0,
    receivedAtMs: 1,
    isFirst: true,
    isTrialExcepted: false,
    excepted: undefined,
    trialBatch,
    source: 'client',
    value: undefined,
    ...trial,
  } as unknown as FactRow;
}
