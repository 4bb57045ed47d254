import t, { type Test as Tap } from 'tap';
import { BinaryReader } from '../../src/codec/binary-reader.ts';
import { BinaryWriter } from '../../src/codec/binary-writer.ts';
import { SparseVector } from '../../src/context/sparse-vector.ts';
import { createLearner, decodeLearner, preparePolicy } from '../../src/create.ts';
import { ModelRace } from '../../src/neural/model-race.ts';
import { activate, decodeNetwork, encodeNetwork, nHidden, wideFeatures } from '../../src/neural/network.ts';
import { lossDifference } from '../../src/neural/prediction-loss.ts';
import { ReplayBuffer, replayRowsMax } from '../../src/neural/replay-buffer.ts';
import { trainNetwork } from '../../src/neural/train-network.ts';
import { nextTrainingAt } from '../../src/neural/training-schedule.ts';
import type { PolicySpec } from '../../src/options.ts';
import type { Arm, Fact, Learner } from '../../src/policy.ts';
import { createRng } from '../../src/rng.ts';

const spec: PolicySpec = { algorithm: 'NEURAL_CONTEXTUAL', config: {} };
const arms: Arm[] = [0, 1].map(() => ({ weight: 1, isLive: true, isOriginal: true }));

t.test('a network by hand: ReLU of W x, features scaled by 3/8, columns it does not know left out', (t) => {
  const hidden = new Float32Array(2 * nHidden);
  hidden[0] = 2; // column 0, unit 0
  hidden[nHidden] = -1; // column 1, unit 0
  hidden[nHidden + 1] = -4; // column 1, unit 1
  const network = decodeNetwork(encodeNetwork({ hidden, output: new Float32Array(nHidden + 1) }));
  const x = sparse([1, 0.5, 7]);
  const h = new Float64Array(nHidden);
  activate(network, x, h);
  t.strictSame([...h.subarray(0, 3)], [1.5, 0, 0]);
  const features = new SparseVector(nHidden + 3);
  wideFeatures(network, x, features);
  t.strictSame([...features.columns.subarray(0, features.length)], [0, 64, 65, 66]);
  t.strictSame([...features.values.subarray(0, features.length)], [1.5 * (3 / 8), 1, 0.5, 7]);
  hidden[3] = Number.NaN;
  t.throws(() => decodeNetwork(encodeNetwork({ hidden, output: new Float32Array(0) })), {
    message: /finite, got NaN/,
  });
  t.end();
});

t.test('the replay buffer keeps the last rows within its bounds, and survives encoding', (t) => {
  let buffer = new ReplayBuffer();
  const wide = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 1 : i / 37));
  const nRows = 10_000;
  for (let row = 0; row < nRows; row++) {
    buffer.push(row % 7, row % 2, sparse(row % 1000 < 500 ? [1, row / 1e4] : wide));
    if (row === 5000) buffer = reloaded(buffer);
    t.ok(buffer.endRow - buffer.firstRow <= replayRowsMax || t.fail('too many rows'));
  }
  t.equal(buffer.endRow, nRows);
  buffer.setLabel(nRows - 3, 1);
  buffer.setLabel(5, 1);
  buffer.setLabel(nRows + 5, 1);
  const x = new SparseVector(256);
  for (const copy of [buffer, buffer.clone(), reloaded(buffer)]) {
    t.equal(copy.armIndex(nRows - 1), (nRows - 1) % 7);
    t.strictSame([copy.label(nRows - 1), copy.label(nRows - 2), copy.label(nRows - 3)], [1, 0, 1]);
    copy.read(nRows - 1, x);
    t.equal(x.length, wide.filter((value) => value !== 0).length);
    t.ok(wide.every((value, i) => Math.abs((x.values[i] ?? 0) - value) <= 0.5 / 2048 + 1e-12));
  }
  const bytes = encoded(buffer);
  t.ok(isSame(encoded(reloaded(buffer)), bytes));
  t.ok(bytes.length < 1_000_000, `${bytes.length} bytes`);
  buffer.setLabel(nRows - 1, 0.25);
  t.equal(reloaded(buffer).label(nRows - 1), 0.25, 'numeric labels are exact');
  t.end();
});

t.test('the race: sums by hand, lead changes at 2 standard errors, corrections undo', (t) => {
  // Equal terms d: after n without fading, lead = n d / sqrt(n d^2) = sqrt(n).
  const race = new ModelRace();
  t.ok(race.isNeuralAhead, 'from the start');
  for (let i = 0; i < 36; i++) {
    race.compare(-0.5, 2);
    race.decide();
    t.equal(race.isNeuralAhead, i + 1 < 30, 'not before 30 comparisons');
  }
  for (let i = 0; i < 144; i++) race.compare(0.5, 2);
  // 144 - 36 terms of size 1 over the root of 180 squares.
  t.ok(Math.abs(race.lead - 108 / Math.sqrt(180)) < 1e-12);
  race.decide();
  t.ok(race.isNeuralAhead, 'ahead again');
  checkFading(t);
  // ln 2 - ln(1 / .8) for a success predicted at .5 and .8.
  t.ok(Math.abs(lossDifference('logistic', [0.5, 0.8], 1, 0) - Math.log(1.6)) < 1e-12);
  t.ok(Math.abs(lossDifference('identity', [1, 3], 4, 2) - (9 / 4 - 1 / 4)) < 1e-12);
  t.ok(Number.isFinite(lossDifference('logistic', [0, 1], 0, 0)));
  t.end();
});

t.test('training is a function of the job, in counted steps, and harmless without rows', (t) => {
  const learner = createLearner(spec);
  for (const chunk of xorTraffic(300, 100)) learner.fold(chunk);
  t.ok(learner.training!.isDue());
  const job = learner.training!.job(5);
  t.equal(job.nSteps, 128);
  t.strictSame(structuredClone(job), job);
  t.ok(isSame(trainNetwork(job), trainNetwork(job)));
  t.notOk(isSame(trainNetwork({ ...job, seed: 6 }), trainNetwork(job)));
  const empty = decodeNetwork(trainNetwork(createLearner(spec).training!.job(1)));
  t.ok(empty.hidden.every(Number.isFinite));
  t.throws(() => trainNetwork({ ...job, payload: job.payload.subarray(0, 100) }), RangeError);
  t.strictSame([nextTrainingAt(100), nextTrainingAt(1000), nextTrainingAt(1e6)], [150, 1200, 1_001_000]);
  t.end();
});

t.test('a swap in slices between folds, at once, or decoded midway: the same state', (t) => {
  const chunks = xorTraffic(900, 60);
  const states = ['slices', 'at once', 'decoded'].map((way) => {
    let learner = createLearner(spec);
    chunks.forEach((chunk, i) => {
      learner.fold(chunk);
      if (i === 5 || i === 11) learner.training!.beginSwap(trainNetwork(learner.training!.job(i)));
      if (way === 'at once') while (!learner.training!.refitSlice(1e9));
      if (way === 'slices' && i >= 7) learner.training!.refitSlice(250);
      if (way === 'decoded') {
        if (i >= 7) learner.training!.refitSlice(250);
        learner = decodeLearner(spec, learner.encode());
        if (i === 9 || i === 14) while (!learner.training!.refitSlice(64));
      }
    });
    while (!learner.training!.refitSlice(33));
    return learner.encode();
  });
  t.ok(isSame(states[1]!, states[0]!), 'at once');
  t.ok(isSame(states[2]!, states[0]!), 'decoded');
  t.end();
});

t.test('a swap that nobody finishes is finished when its queue is full; a second one is refused', (t) => {
  const learner = createLearner(spec);
  const chunks = xorTraffic(5000, 500);
  learner.fold(chunks[0]!);
  const network = trainNetwork({ ...learner.training!.job(1), nSteps: 2 });
  learner.training!.beginSwap(network);
  t.throws(() => learner.training!.beginSwap(network), { message: /complete/ });
  t.notOk(learner.training!.isDue(), 'not while one is pending');
  for (const chunk of chunks.slice(1)) learner.fold(chunk);
  t.ok(learner.encode().length < 1_200_000);
  learner.training!.beginSwap(network);
  t.end();
});

t.test('on an exclusive or the neural model takes the lead and finds the better arm', (t) => {
  const learner = play(spec, 4000);
  const policy = preparePolicy(spec, learner.encodeServing(arms, 1), arms);
  for (const [a, b] of [
    [-1, -1],
    [-1, 1],
    [1, -1],
    [1, 1],
  ] as const) {
    const right = a * b > 0 ? 0 : 1;
    t.ok(policy.pmf({ a, b })[right]! > 0.9, `${a} ${b}: ${policy.pmf({ a, b })}`);
    const { predictions, armIndex } = policy.decide({ a, b }, 0.5);
    t.ok(predictions!.length === 2 && armIndex === right);
    t.ok(predictions![1]! > 0.7, `${predictions}`);
  }
  t.end();
});

function checkFading(t: Tap): void {
  const race = new ModelRace();
  for (let i = 0; i < 36; i++) race.compare(1, 1);
  race.compare(0.3, 1);
  race.revise(0.3, 0, 1, 0);
  t.ok(Math.abs(race.lead - 6) < 1e-12, 'a comparison revised to 0 leaves nothing');
  for (let i = 0; i < 2000; i++) race.advance();
  t.ok(Math.abs(race.lead - 6) < 1e-9, 'fading alone changes no lead');
  // After a half-life the 36 terms of 1 weigh .5 each: sum 18, squares 9. 40 terms of -1: (18 - 40) / sqrt(49).
  for (let i = 0; i < 40; i++) race.compare(-1, 1);
  t.ok(Math.abs(race.lead + 22 / 7) < 1e-9);
  race.decide();
  t.notOk(race.isNeuralAhead);
}

/** Two numbers whose product's sign decides which arm pays with .9 instead of .1; some rewards come a chunk late. */
function xorTraffic(nTrials: number, size: number): Fact[][] {
  const rng = createRng(17);
  let late: Fact[] = [];
  return Array.from({ length: nTrials / size }, (_, chunk) => {
    const facts = late;
    late = [];
    for (let i = 0; i < size; i++) {
      const context = { a: 2 * rng.uniform() - 1, b: 2 * rng.uniform() - 1 };
      const armIndex = Math.floor(2 * rng.uniform());
      const trial = { armIndex, context, propensity: 0.5, predictions: [rng.uniform(), rng.uniform()] };
      const trialPosition = facts.length;
      facts.push({ kind: 'trial', ...trial });
      if (rng.uniform() >= rateOf(context, armIndex)) continue;
      const reward = {
        kind: 'reward',
        ...trial,
        previous: 0,
        reward: 1,
        isFirst: true,
        trialNumber: chunk * size + i,
      } as const;
      if (rng.uniform() < 0.8) facts.push({ ...reward, trialPosition });
      else late.push({ ...reward, trialPosition: undefined });
    }
    return facts;
  });
}

function rateOf({ a, b }: { a: number; b: number }, armIndex: number): number {
  return a * b > 0 === (armIndex === 0) ? 0.9 : 0.1;
}

function play(algorithm: PolicySpec, nTrials: number): Learner {
  const learner = createLearner(algorithm);
  const rng = createRng(3);
  let policy = preparePolicy(algorithm, undefined, arms);
  for (let trial = 0; trial < nTrials; trial += 10) {
    const facts: Fact[] = [];
    for (let i = 0; i < 10; i++) {
      const context = { a: 2 * rng.uniform() - 1, b: 2 * rng.uniform() - 1 };
      const decision = policy.decide(context, rng.uniform());
      const fact = { ...decision, context };
      facts.push({ kind: 'trial', ...fact });
      if (rng.uniform() >= rateOf(context, decision.armIndex)) continue;
      facts.push({
        kind: 'reward',
        ...fact,
        previous: 0,
        reward: 1,
        isFirst: true,
        trialPosition: facts.length - 1,
        trialNumber: undefined,
      });
    }
    learner.fold(facts);
    if (learner.training!.isDue()) {
      learner.training!.beginSwap(trainNetwork(learner.training!.job(trial)));
      while (!learner.training!.refitSlice(64));
    }
    policy = preparePolicy(algorithm, learner.encodeServing(arms, 10), arms);
  }
  return learner;
}

function sparse(row: number[]): SparseVector {
  const x = new SparseVector(row.length);
  for (let column = 0; column < row.length; column++) x.append(column, row[column]!);
  return x;
}

function encoded(buffer: ReplayBuffer): Uint8Array {
  const writer = new BinaryWriter();
  buffer.encode(writer);
  return writer.finish();
}

function reloaded(buffer: ReplayBuffer): ReplayBuffer {
  return ReplayBuffer.decode(new BinaryReader(encoded(buffer)));
}

/** A difference of large arrays would take minutes to print. */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
