import type { Test } from 'tap';
import { type Client, until } from '../platform/client.ts';
import type { Tables } from './read-tables.ts';

interface Sums {
  readonly trials: number;
  readonly conversions: number;
  readonly rewardSum: number;
}

const learnedWithinMs = 60_000;

/**
 * Per treatment: trials are the distinct assignments on record, conversions the rewarded ones, the reward sum that of their
 * values. Each assignment has one event at most. A rebuild changes none of it.
 */
export async function judgeSums(
  t: Test,
  client: Client,
  experimentId: string,
  { assignments, events }: Tables,
): Promise<void> {
  const expected: Record<string, Sums> = {};
  for (const { experimentId: of, treatmentId } of assignments) {
    if (of !== experimentId) continue;
    const sums = expected[treatmentId] ?? { trials: 0, conversions: 0, rewardSum: 0 };
    expected[treatmentId] = { ...sums, trials: sums.trials + 1 };
  }
  for (const { experimentId: of, treatmentId, value } of events) {
    if (of !== experimentId) continue;
    const sums = expected[treatmentId]!;
    expected[treatmentId] = {
      ...sums,
      conversions: sums.conversions + 1,
      rewardSum: sums.rewardSum + value,
    };
  }
  const learned = await until(
    () => readSums(client, experimentId),
    (sums) => JSON.stringify(sums) === JSON.stringify(sortKeys(expected)),
    learnedWithinMs,
  );
  t.strictSame(learned, sortKeys(expected), 'what is learned is what is on record');
  t.equal((await client.manage('POST', `/experiments/${experimentId}/refresh`)).status, 200, 'it is rebuilt');
  t.strictSame(await readSums(client, experimentId), learned, 'a rebuild changes nothing');
}

async function readSums(client: Client, experimentId: string): Promise<Record<string, Sums>> {
  const { body } = await client.manage('GET', `/experiments/${experimentId}/results`);
  const lines: (Sums & { id: string })[] = body.data.treatments;
  return sortKeys(
    Object.fromEntries(
      lines.map(({ id, trials, conversions, rewardSum }) => [id, { trials, conversions, rewardSum }]),
    ),
  );
}

function sortKeys(sums: Record<string, Sums>): Record<string, Sums> {
  return Object.fromEntries(Object.entries(sums).sort(([a], [b]) => (a < b ? -1 : 1)));
}
