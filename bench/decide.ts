/**
 * Nanoseconds of a decision and of an update for each algorithm, K arms and d columns (d - 1 numbers, none of them 0).
 *
 * `pmf` is the allocation alone, `decide` the whole decision: allocation, draw, confidence. `update` is one trial with
 * its reward, folded in chunks of 100. Neural has a network; its training is not in `update`.
 *
 * node bench/decide.ts [--rounds N]: a table on stderr, one JSON object last on stdout.
 */
import { parseArgs } from 'node:util';
import {
  type Algorithm,
  type Arm,
  type Context,
  createLearner,
  createRng,
  type Fact,
  type Learner,
  type PolicySpec,
  preparePolicy,
  trainNetwork,
} from '@bandit/core';

const algorithms: Algorithm[] = [
  'EPSILON_GREEDY',
  'UCB1',
  'THOMPSON_SAMPLING',
  'LINEAR_CONTEXTUAL',
  'NEURAL_CONTEXTUAL',
];
const chunkSize = 100;

/** What timed calls return, so that no compiler can leave them out. */
let sink: unknown;

/** Shortest CPU time of one timing: the clock of some systems moves in steps of 4 ms. */
const timingMicrosMin = 50_000;

interface Line {
  readonly algorithm: Algorithm;
  readonly nArms: number;
  readonly nColumns: number;
  readonly pmfNanos: number;
  readonly decideNanos: number;
  readonly updateNanos: number;
}

main();

function main(): void {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '2000' } } });
  const nRounds = Number(values.rounds);
  const lines: Line[] = [];
  for (const algorithm of algorithms) {
    for (const nArms of [2, 5, 20]) {
      for (const nColumns of [10, 100]) {
        const isContextual = algorithm.endsWith('_CONTEXTUAL');
        const line = measure(algorithm, nArms, nColumns, isContextual ? nRounds : 100 * nRounds);
        lines.push(line);
        console.error(
          `${algorithm.padEnd(18)} K ${nArms} d ${nColumns}: pmf ${line.pmfNanos} ns, decide ${line.decideNanos} ns, update ${line.updateNanos} ns`,
        );
      }
    }
  }
  console.log(JSON.stringify({ unit: 'ns', lines }));
}

function measure(algorithm: Algorithm, nArms: number, nColumns: number, nRounds: number): Line {
  const spec: PolicySpec = { algorithm, config: {} };
  const arms = Array.from({ length: nArms }, (): Arm => ({ weight: 1, isLive: true, isOriginal: true }));
  const rng = createRng(nArms * 1000 + nColumns);
  const contexts = Array.from({ length: 500 }, () => denseContext(nColumns - 1, rng.uniform));
  const learner = createLearner(spec);
  const chunks = Array.from({ length: 20 }, () => chunkOf(contexts, nArms, rng.uniform));
  for (const chunk of chunks) learner.fold(chunk);
  takeNetwork(learner);
  const nChunks = Math.ceil(Math.min(nRounds, 20_000) / 20);
  const policy = preparePolicy(spec, learner.encodeServing(arms, chunkSize), arms);
  return {
    algorithm,
    nArms,
    nColumns,
    pmfNanos: nanosOf(nRounds, (i) => policy.pmf(contexts[i % 500])),
    decideNanos: nanosOf(nRounds, (i) => policy.decide(contexts[i % 500], uniformOf(i))),
    updateNanos: Math.round(nanosOf(nChunks, (i) => learner.fold(chunks[i % 20]!)) / chunkSize),
  };
}

/** Spreads decisions over the unit interval without a generator in the timed loop. */
function uniformOf(i: number): number {
  return (i * 0.6180339887498949) % 1;
}

function denseContext(nNumbers: number, uniform: () => number): Context {
  return Object.fromEntries(Array.from({ length: nNumbers }, (_, i) => [`number${i}`, uniform() + 1e-3]));
}

function chunkOf(contexts: readonly Context[], nArms: number, uniform: () => number): Fact[] {
  const facts: Fact[] = [];
  for (let i = 0; i < chunkSize; i++) {
    const context = contexts[Math.floor(uniform() * contexts.length)];
    const trial = {
      armIndex: Math.floor(uniform() * nArms),
      context,
      propensity: 1 / nArms,
      predictions: undefined,
    };
    const trialPosition = facts.length;
    facts.push({ kind: 'trial', ...trial });
    if (uniform() < 0.3) {
      facts.push({
        kind: 'reward',
        ...trial,
        previous: 0,
        reward: 1,
        isFirst: true,
        trialPosition,
        trialNumber: undefined,
      });
    }
  }
  return facts;
}

function takeNetwork({ training }: Learner): void {
  if (!training) return;
  training.beginSwap(trainNetwork(training.job(1)));
  while (!training.refitSlice(1000));
}

/**
 * Median of five timings of at least `nRounds` calls and 50 ms each. CPU time of this thread, so that neighbours on the
 * machine do not count.
 */
function nanosOf(nRounds: number, call: (i: number) => unknown): number {
  let n = nRounds;
  while (microsOf(n, call) < timingMicrosMin) n *= 2;
  const timings = Array.from({ length: 5 }, () => (1000 * microsOf(n, call)) / n);
  return Math.round(timings.sort((a, b) => a - b)[2]!);
}

function microsOf(nRounds: number, call: (i: number) => unknown): number {
  const start = process.threadCpuUsage();
  for (let i = 0; i < nRounds; i++) sink = call(i);
  const { user, system } = process.threadCpuUsage(start);
  return sink === undefined ? Number.NaN : user + system;
}
