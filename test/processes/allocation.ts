import { preparePolicy } from '@bandit/core';
import { type Client, until } from '../platform/client.ts';
import type { Assigned, Journal } from './journal.ts';
import { timeUntil } from './measure.ts';
import { abExperiment, type RunningPlatform, readTreatments } from './start-platform.ts';

export interface Moved {
  readonly experimentId: string;
  /** Treatment A, which got all conversions. */
  readonly a: string;
  /** Milliseconds from the 201 until each assignment process drew by it. */
  readonly timesMs: readonly number[];
}

/** P(A) of a draw once its conversions are learned. */
export const isMoved = (probabilityOfA: number): boolean => probabilityOfA > 0.85;

const learnedWithinMs = 30_000;
const nUsers = 16;
let nDraws = 0;

/** A new experiment whose treatment A gets all conversions, once everything before is learned and served. */
export async function moveAllocation(
  platform: RunningPlatform,
  journal: Journal,
  name: string,
): Promise<Moved> {
  const [assigning, ingesting, managing] = (
    [platform.assignments, platform.ingests, platform.managements] as const
  ).map((list) => list.map((one) => platform.clientOf(one))) as [Client[], Client[], Client[]];
  const manager = managing[0] as Client;
  const experimentId = await manager.activate(abExperiment(name));
  const { A } = (await readTreatments(manager, experimentId)) as { A: string };
  const assigned: Assigned[] = [];
  while (assigned.filter(({ treatmentId }) => treatmentId === A).length < 4) {
    const users = Array.from({ length: nUsers }, (_, n) => `user-${assigned.length + n}`);
    const client = assigning[0] as Client;
    assigned.push(...(await Promise.all(users.map((user) => journal.assign(client, experimentId, user)))));
  }
  await until(
    () => manager.manage('GET', `/experiments/${experimentId}/results`),
    ({ body }) => body.data.totals.trials === assigned.length,
    learnedWithinMs,
  );
  const before = await drawProbability(platform, journal, assigning[0] as Client, experimentId, A);
  if (isMoved(before)) throw new Error(`P(A) is ${before} before any conversion`);
  const ofA = assigned.filter(({ treatmentId }) => treatmentId === A);
  await journal.convert(ingesting[assigned.length % ingesting.length] as Client, ofA);
  const timesMs = await Promise.all(
    assigning.map((client) =>
      timeUntil(async () => isMoved(await drawProbability(platform, journal, client, experimentId, A))),
    ),
  );
  return { experimentId, a: A, timesMs };
}

/** The probability of treatment `a` of two by which this process draws now. */
export async function drawProbability(
  platform: RunningPlatform,
  journal: Journal,
  client: Client,
  experimentId: string,
  a: string,
): Promise<number> {
  nDraws += 1;
  const { assignmentId, treatmentId } = await journal.assign(client, experimentId, `draw-${nDraws}`);
  const { propensity } = platform.readId(assignmentId);
  if (propensity === undefined) throw new Error('a draw without a propensity');
  return treatmentId === a ? propensity : 1 - propensity;
}

/** How far the draws of each assignment process are from what the state in SQL says; undefined when never comparable. */
export async function compareWithSql(
  platform: RunningPlatform,
  journal: Journal,
  experimentId: string,
): Promise<number | undefined> {
  const clients = platform.assignments.map((one) => platform.clientOf(one));
  const { db } = platform.stores;
  const treatments = await db
    .selectFrom('treatments')
    .selectAll()
    .where('experiment_id', '=', experimentId)
    .orderBy('position')
    .execute();
  const { algorithm, algorithm_config } = await db
    .selectFrom('experiments')
    .selectAll()
    .where('id', '=', experimentId)
    .executeTakeFirstOrThrow();
  const arms = treatments.map((one) => ({
    weight: one.weight,
    isLive: one.removed_at === null,
    isOriginal: one.is_original,
  }));
  return until(
    async () => {
      const state = await db
        .selectFrom('experiment_states')
        .selectAll()
        .where('experiment_id', '=', experimentId)
        .executeTakeFirstOrThrow();
      const pmf = preparePolicy({ algorithm, config: algorithm_config as never }, state.serving, arms).pmf(
        undefined,
      );
      nDraws += 1;
      const answers = await Promise.all(
        clients.map((client, n) => journal.assign(client, experimentId, `compared-${nDraws}-${n}`)),
      );
      const drawn = answers.map(({ assignmentId }) => platform.readId(assignmentId));
      // The draws are facts themselves: a state that was learned meanwhile is another round's.
      if (drawn.some(({ stateVersion }) => stateVersion !== state.version)) return undefined;
      const differences = drawn.map(({ treatmentId, propensity }) => {
        const position = treatments.findIndex(({ id }) => id === treatmentId);
        return Math.abs((propensity ?? Number.NaN) - (pmf[position] as number));
      });
      return Math.max(...differences);
    },
    (difference) => difference !== undefined,
    learnedWithinMs,
  );
}
