import t from 'tap';
import {
  type Algorithm,
  type Context,
  createLearner,
  createRng,
  decodeLearner,
  type Fact,
  type Learner,
  preparePolicy,
  type Rng,
  trainNetwork,
} from '../src/index.ts';

const nSteps = 100_000;
const chunkSteps = 1_000;
const servingBytesMax = 524_288;
const arms = [0, 1, 2].map(() => ({ weight: 1, isLive: true, isOriginal: true }));

/** Real traffic at its worst: a string nobody has seen before in each row, a timestamp, a huge and a constant number. */
function drawContext(rng: Rng, step: number): Context {
  return {
    session: `session-${step}`,
    country: `c${Math.floor(rng.uniform() * 300)}`,
    at: 1_768_471_200_000 + step * 1_000,
    revenue: rng.uniform() * 1e6,
    constant: 7,
    isMobile: rng.uniform() < 0.5,
  };
}

function drawChunk(rng: Rng, from: number): Fact[] {
  const facts: Fact[] = [];
  for (let step = from; step < from + chunkSteps; step += 1) {
    const context = drawContext(rng, step);
    const armIndex = Math.floor(rng.uniform() * 3);
    const rest = { armIndex, context, propensity: 1 / 3, predictions: [0.3, 0.3] };
    const trialPosition = facts.push({ kind: 'trial', ...rest }) - 1;
    if (rng.uniform() < 0.2 + 0.2 * armIndex) {
      const reward = { previous: 0, reward: 1, isFirst: true, trialPosition, trialNumber: step };
      facts.push({ kind: 'reward', ...rest, ...reward });
    }
  }
  return facts;
}

function train(learner: Learner): void {
  if (learner.training?.isDue() !== true) return;
  learner.training.beginSwap(trainNetwork(learner.training.job(1)));
  while (!learner.training.refitSlice(256));
}

for (const algorithm of ['LINEAR_CONTEXTUAL', 'NEURAL_CONTEXTUAL'] as Algorithm[]) {
  t.test(`${algorithm} learns ${nSteps} trials in bounded memory and still decides soundly`, (t) => {
    const seed = 20260115;
    t.comment(`seed ${seed}`);
    const spec = { algorithm, config: {} };
    const rng = createRng(seed);
    const learner = createLearner(spec);
    const sizes: number[] = [];
    for (let from = 0; from < nSteps; from += chunkSteps) {
      learner.fold(drawChunk(rng, from));
      // Two rounds are enough to hold a trained network; a round each time would only take time.
      if (from === 20_000 || from === 60_000) train(learner);
      if ((from + chunkSteps) % 25_000 === 0) sizes.push(learner.encode().length);
    }
    t.equal(learner.nTrials, nSteps);
    // Sums grow by a digit here and there (varints), nothing grows with the number of trials.
    t.ok((sizes[3] as number) <= (sizes[1] as number) * 1.01 + 64, `state sizes ${sizes}`);
    const serving = learner.encodeServing(arms, chunkSteps);
    t.ok(serving.length <= servingBytesMax, `serving state of ${serving.length} bytes`);
    const policy = preparePolicy(spec, serving, arms);
    const context = drawContext(rng, nSteps);
    const total = policy.pmf(context).reduce((sum, p) => sum + p, 0);
    t.ok(Math.abs(total - 1) < 1e-12, `probabilities sum to ${total}`);
    // Rewards come with .2, .4 and .6: after so many trials nearly every choice is the third arm.
    t.ok((policy.pmf(context)[2] as number) > 0.9, `the best arm has ${policy.pmf(context)[2]}`);
    const again = decodeLearner(spec, learner.encode());
    t.strictSame(Buffer.from(again.encode()).equals(Buffer.from(learner.encode())), true);
    t.end();
  });
}
