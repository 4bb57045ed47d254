/**
 * False winners at EQUAL treatments when somebody looks after every batch: how often each rule ever declares one, and how
 * often an interval ever misses its mean, over R runs. The rules of packages/bandit-core/src/inference beside the naive
 * ones; docs/maths/inference.md holds the figures.
 *
 * node bench/peeking.ts --game plain|daily|contextual|numeric [--runs R] [--steps T] [--batch B]
 *   [--rates .05,.05] [--alpha A] [--seed S]
 *
 * --rates are the treatments' success rates in the plain game (unequal ones measure how often the winner is found); the other
 * games have as many treatments as there are rates.
 *
 * Progress goes to stderr; the last line of stdout is {"game":…, "runs":…, "rates":{rule: share of runs}}.
 */
import { parseArgs } from 'node:util';
import { createRng } from '@bandit/core';
import { type PeekingGame, playPeeking } from './peeking-games.ts';

main();

function main(): void {
  const { values } = parseArgs({
    options: {
      game: { type: 'string', default: 'plain' },
      runs: { type: 'string', default: '500' },
      steps: { type: 'string', default: '20000' },
      batch: { type: 'string', default: '100' },
      rates: { type: 'string', default: '.05,.05' },
      alpha: { type: 'string', default: '0.05' },
      seed: { type: 'string', default: '1' },
    },
  });
  const game: PeekingGame = {
    name: values.game,
    nSteps: Number(values.steps),
    batch: Number(values.batch),
    rates: values.rates.split(',').map(Number),
    alpha: Number(values.alpha),
  };
  const nRuns = Number(values.runs);
  const totals = new Map<string, number>();
  for (let run = 0; run < nRuns; run++) {
    for (const [rule, value] of playPeeking(game, createRng(Number(values.seed) + run))) {
      totals.set(rule, (totals.get(rule) ?? 0) + value);
    }
    if ((run + 1) % 50 === 0) process.stderr.write(`run ${run + 1} of ${nRuns}\n`);
  }
  const rates = Object.fromEntries([...totals].map(([rule, total]) => [rule, total / nRuns]));
  console.log(JSON.stringify({ ...game, runs: nRuns, rates }));
}
