/**
 * Classification as a bandit (ALGORITHMS, protocol): rows of a data set in a given order, an arm per class, reward 1
 * for the right one, score = mean reward over the first T rows, cold start included. One thread; neural training runs
 * inline whenever it is due after a fold, for the same counted steps as in the platform's worker.
 *
 * node bench/classification.ts --data FILE --order FILE --algorithm NAME --seeds 1,2,3,4,5 --steps T
 *   [--batch B] [--delay D] [--floor E] [--config JSON]
 *
 * Progress goes to stderr; the last line of stdout is
 * {"mean":…, "se":…, "seeds":[…], "decideMicros":…, "learnMicros":…}.
 */
import { parseArgs } from 'node:util';
import type { Algorithm } from '@bandit/core';
import { readLabelledRows, readOrder } from './classification-data.ts';
import { playClassification, type Score } from './classification-play.ts';

main();

function main(): void {
  const { values } = parseArgs({
    options: {
      data: { type: 'string' },
      order: { type: 'string' },
      algorithm: { type: 'string' },
      seeds: { type: 'string', default: '1,2,3,4,5' },
      steps: { type: 'string', default: '5000' },
      batch: { type: 'string', default: '1' },
      delay: { type: 'string', default: '0' },
      floor: { type: 'string', default: '0' },
      config: { type: 'string', default: '{}' },
    },
  });
  const { rows, labels } = readLabelledRows(required('--data', values.data));
  const algorithm = required('--algorithm', values.algorithm) as Algorithm;
  const config = { explorationFloor: Number(values.floor), ...(JSON.parse(values.config) as object) };
  const seeds = values.seeds.split(',').map((seed) => integer('--seeds', seed, 1));
  const orderFile = required('--order', values.order);
  const scores = seeds.map((seed, i) => {
    const order = readOrder(orderFile, seed, rows.length);
    const score = playClassification({
      rows,
      order: order.slice(0, integer('--steps', values.steps, 1)),
      nArms: labels.length,
      spec: { algorithm, config },
      seed,
      batch: integer('--batch', values.batch, 1),
      delay: integer('--delay', values.delay, 0),
    });
    report(seed, `${i + 1}/${seeds.length}`, score);
    return score;
  });
  console.log(JSON.stringify(summarise(scores)));
}

function required(name: string, value: string | undefined): string {
  if (value === undefined) throw new Error(`${name} must be given`);
  return value;
}

function integer(name: string, text: string, low: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < low)
    throw new Error(`${name} must be an integer from ${low} on, got ${text}`);
  return value;
}

function report(
  seed: number,
  place: string,
  { meanReward, decideMicros, learnMicros, trainingMs }: Score,
): void {
  const slowest =
    trainingMs.length > 0
      ? `, ${trainingMs.length} trainings, slowest ${Math.max(...trainingMs).toFixed(0)} ms`
      : '';
  console.error(
    `seed ${seed} (${place}): ${meanReward.toFixed(4)}, decide ${decideMicros.toFixed(1)} us, learn ${learnMicros.toFixed(1)} us${slowest}`,
  );
}

function summarise(scores: readonly Score[]): object {
  const seeds = scores.map(({ meanReward }) => meanReward);
  const mean = average(seeds);
  const variance = seeds.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, seeds.length - 1);
  return {
    mean,
    se: Math.sqrt(variance / seeds.length),
    seeds,
    decideMicros: average(scores.map(({ decideMicros }) => decideMicros)),
    learnMicros: average(scores.map(({ learnMicros }) => learnMicros)),
  };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
