/**
 * Regret of a context-free algorithm on Bernoulli arms (ALGORITHMS): the sum over T steps of the best rate minus
 * the chosen arm's, averaged over R runs with seeds S, S + 1 …
 *
 * node bench/bernoulli.ts --means .1,.05,.05 --algorithm NAME --steps T --runs R --batch B --delay D --seed S
 *   [--variant ucb1|tuned|kl] [--config JSON] [--floor E] [--reverse-at STEP] [--late-trials]
 *
 * NAME is one of the context-free algorithms; KL_UCB and UCB_TUNED stand for UCB1 with that variant. KL-UCB will do too.
 * --late-trials delays the trials with their rewards, which no platform can: see docs/maths/exploration-and-delay.md.
 * Floor 0 unless --floor says otherwise. Progress goes to stderr; the last line of stdout is
 * {"regret":…, "se":…, "share":[…]}.
 */
import { parseArgs } from 'node:util';
import {
  type Algorithm,
  type AlgorithmConfig,
  type BernoulliGame,
  type BernoulliScore,
  createRng,
  type PolicySpec,
  playBernoulli,
} from '@bandit/core';

const aliases = new Map<string, PolicySpec>([
  ['KL_UCB', { algorithm: 'UCB1', config: { variant: 'kl' } }],
  ['UCB_TUNED', { algorithm: 'UCB1', config: { variant: 'tuned' } }],
]);

main();

function main(): void {
  const { values } = parseArgs({
    options: {
      means: { type: 'string' },
      algorithm: { type: 'string' },
      steps: { type: 'string', default: '10000' },
      runs: { type: 'string', default: '100' },
      batch: { type: 'string', default: '1' },
      delay: { type: 'string', default: '0' },
      seed: { type: 'string', default: '1' },
      floor: { type: 'string', default: '0' },
      variant: { type: 'string' },
      config: { type: 'string', default: '{}' },
      'reverse-at': { type: 'string' },
      'late-trials': { type: 'boolean', default: false },
    },
  });
  if (!values.means || !values.algorithm) throw new Error('--means and --algorithm must be given');
  const name = values.algorithm.toUpperCase().replaceAll('-', '_');
  const alias = aliases.get(name);
  const nRuns = Number(values.runs);
  if (!Number.isInteger(nRuns) || nRuns < 1)
    throw new Error(`--runs must be an integer from 1 on, got ${values.runs}`);
  const config = {
    explorationFloor: Number(values.floor),
    ...alias?.config,
    ...(values.variant ? { variant: values.variant } : {}),
    ...JSON.parse(values.config),
  } as AlgorithmConfig;
  const reverseAt = values['reverse-at'];
  const game: BernoulliGame = {
    spec: { algorithm: alias?.algorithm ?? (name as Algorithm), config },
    means: values.means.split(',').map(Number),
    nSteps: Number(values.steps),
    batch: Number(values.batch),
    delay: Number(values.delay),
    isTrialLate: values['late-trials'],
    ...(reverseAt ? { reverseAt: Number(reverseAt) } : {}),
  };
  console.log(JSON.stringify(summarise(playRuns(game, nRuns, Number(values.seed)))));
}

function playRuns(game: BernoulliGame, nRuns: number, seed: number): BernoulliScore[] {
  const scores: BernoulliScore[] = [];
  for (let run = 0; run < nRuns; run++) {
    scores.push(playBernoulli(game, createRng(seed + run)));
    if ((run + 1) % 10 === 0 || run + 1 === nRuns) {
      process.stderr.write(`run ${run + 1} of ${nRuns}: regret ${summarise(scores).regret.toFixed(2)}\n`);
    }
  }
  return scores;
}

function summarise(scores: readonly BernoulliScore[]): { regret: number; se: number; share: number[] } {
  const n = scores.length;
  const regret = scores.reduce((sum, score) => sum + score.regret, 0) / n;
  const squares = scores.reduce((sum, score) => sum + (score.regret - regret) ** 2, 0);
  const share = Array.from(scores[0]?.share ?? [], (_, k) => {
    return scores.reduce((sum, score) => sum + score.share[k]!, 0) / n;
  });
  return { regret, se: n > 1 ? Math.sqrt(squares / (n - 1) / n) : 0, share };
}
