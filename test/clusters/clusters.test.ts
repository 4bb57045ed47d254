/**
 * The platform on a JetStream cluster of three and a Redis Cluster of three masters and three replicas, whose nodes are killed
 * one after another under load, Postgres last. CLUSTER_ROUNDS: how often all of that (1), CLUSTER_SEED: of the load,
 * CLUSTER_JOURNAL: a file that takes one line an operation.
 */
import t, { type Test } from 'tap';
import { startFleet } from '../fleet/start-fleet.ts';
import { type Client, createClient } from '../platform/client.ts';
import { drive } from './drive.ts';
import { measureOutage } from './figures.ts';
import { createJournal, type Operation } from './journal.ts';
import { judgeRows } from './judge-rows.ts';
import { judgeSums } from './judge-sums.ts';
import {
  killNatsServers,
  killOneOfEach,
  killRedisMasters,
  type Outage,
  type Scene,
  waitForOk,
  waitUntilWhole,
} from './outages.ts';
import { killPostgresWithoutOneNats, type PostgresOutage } from './postgres-outage.ts';
import { readTables } from './read-tables.ts';
import { startClusters, testOnClusters } from './start-clusters.ts';
import { eventsStream, watchStreams } from './streams.ts';
import { waitFor } from './wait-for.ts';

const nRounds = Number(process.env.CLUSTER_ROUNDS ?? 1);
const seed = Number(process.env.CLUSTER_SEED ?? Date.now() % 1_000_000);

t.setTimeout(590_000 * nRounds);

/** Promised, and told with what was measured: backlog drained after a store is back; a change in every process. */
const drainedPromisedMs = 10_000;
const changePromisedMs = 1_000;
/** After Postgres answers again, until every process has noticed: probes and new connections. */
const noticeMs = 10_000;
const lagSecondsMax = 1;
const settledWithinMs = 60_000;
/** As many calls in a row as make sure that both processes were asked. */
const nBoth = 12;

testOnClusters(t, 'nodes of both clusters are killed under load', async (t) => {
  t.comment(`seed ${seed}, rounds ${nRounds}`);
  const clusters = await startClusters(t);
  const fleet = await startFleet(t, { env: clusters.env, databaseUrl: clusters.postgres.connectionString });
  const client = createClient(fleet.url, fleet.apiKey, fleet.session);
  const { experimentIds, funnelId } = await makeExperiments(client);
  const journal = createJournal(process.env.CLUSTER_JOURNAL);
  const options = { url: fleet.url, apiKey: fleet.apiKey, experimentIds, funnelId, seed };
  const driver = drive(options, journal);
  t.teardown(() => driver.stop());
  const streams = await watchStreams(clusters.nats);
  t.teardown(() => streams.close());
  const scene: Scene = { clusters, streams, fleet, journal, driver };
  await waitForOk(scene, 0, 'nothing');
  await waitUntilWhole(scene, 'the start');

  const outages: (Outage | PostgresOutage)[] = [];
  for (let round = 0; round < nRounds; round += 1) {
    outages.push(...(await killNatsServers(scene)));
    outages.push(...(await killRedisMasters(scene)));
    outages.push(await killOneOfEach(scene, round));
    outages.push(await killPostgresWithoutOneNats(scene, round));
    await t.test('the learner has caught up', (t) => testLag(t, fleet.url));
  }
  await driver.stop();
  await t.test('statuses', (t) => testStatuses(t, journal.operations, outages));
  await t.test('nothing lost, nothing doubled', (t) => testRows(t, scene, outages, client, experimentIds));
  await t.test('RECORDS', (t) => testRecords(t, scene, outages));
  await t.test('a change reaches both assignment processes', (t) => testChange(t, client));
  for (const outage of outages) t.comment(JSON.stringify(measureOutage(outage, journal.operations)));
  t.comment(`seed ${seed}: ${journal.operations.length} operations ${JSON.stringify(journal.tally())}`);
  t.comment(`${outages.reduce((sum, { nKilled }) => sum + nKilled, 0)} kills in ${outages.length} outages`);
  const again = outages
    .filter(({ nStarts }) => nStarts > 1)
    .map(({ what, nStarts }) => `${what}: ${nStarts}`);
  t.comment(`NATS servers that had to be started more than once: ${again.join(', ') || 'none'}`);
});

async function makeExperiments(client: Client): Promise<{ experimentIds: string[]; funnelId: string }> {
  const treatments = ['A', 'B', 'C'].map((name) => ({ name, config: { content: name } }));
  const experimentIds: string[] = [];
  for (const algorithm of ['THOMPSON_SAMPLING', 'UCB1', 'EPSILON_GREEDY'])
    experimentIds.push(
      await client.activate({
        ...{ name: algorithm, algorithm, algorithmConfig: { reward: 'numeric' }, treatments },
      }),
    );
  const made = await client.manage('POST', '/funnels', { name: 'Rewarded', experimentIds });
  if (made.status !== 201) throw new Error(`a funnel answered ${made.status}: ${JSON.stringify(made.body)}`);
  return { experimentIds, funnelId: made.body.data.id };
}

async function testLag(t: Test, url: string): Promise<void> {
  const readLags = async (): Promise<number[]> => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return [...metrics.matchAll(/^bandit_learner_lag_seconds\{.*\} (\S+)$/gm)].map(([, lag]) => Number(lag));
  };
  const isLow = async () => {
    const lags = await readLags();
    return lags.length === 2 && lags.every((lag) => lag < lagSecondsMax);
  };
  const tookMs = await waitFor('the learner lags less than a second', isLow, settledWithinMs);
  t.ok(tookMs < drainedPromisedMs, `under load, ${tookMs.toFixed(0)} ms after everything was whole`);
}

async function testStatuses(
  t: Test,
  operations: readonly Operation[],
  outages: readonly Outage[],
): Promise<void> {
  const postgresDown = outages.filter(({ hadNoPostgres }) => hadNoPostgres);
  const mayWait = ({ startMs, endMs }: Operation) =>
    postgresDown.some(({ killedMs, backMs }) => endMs >= killedMs && startMs <= backMs + noticeMs);
  const allowed = (operation: Operation): boolean => {
    const { kind, status, hasRetryAfter } = operation;
    if (status === 503) return hasRetryAfter === true && mayWait(operation);
    if (kind === 'assign' || kind === 'reward') return status === 200;
    // A conversion whose answer was 503 may be sent again by nobody: only repeats meet what is there.
    return kind === 'repeat' ? status === 409 : status === 201;
  };
  const unexpected = operations.filter((operation) => !allowed(operation));
  const from = operations[0]?.startMs ?? 0;
  const describe = (one: Operation) => ({ ...one, startMs: one.startMs - from, endMs: one.endMs - from });
  t.strictSame(unexpected.slice(0, 20).map(describe), [], `of ${operations.length} operations`);
  const away = operations.filter(({ status }) => status === 503);
  for (const { backMs, killedMs } of postgresDown) {
    const own = away.filter(({ endMs }) => endMs >= killedMs && endMs <= backMs + noticeMs);
    const lastMs = Math.max(0, ...own.map(({ endMs }) => endMs - backMs));
    t.comment(`${own.length} answers 503, the last ${lastMs.toFixed(0)} ms after Postgres was back`);
  }
}

async function testRows(
  t: Test,
  { clusters, streams, journal, fleet }: Scene,
  outages: readonly (Outage | PostgresOutage)[],
  client: Client,
  experimentIds: readonly string[],
): Promise<void> {
  await waitFor('every event is published', () => isPublished(fleet.url), settledWithinMs);
  const tables = await readTables(clusters.postgres.connectionString);
  const mayBeForgotten = ({ assigned, startMs }: Operation): boolean =>
    assigned?.isRecorded === false &&
    outages.some(
      (one) => 'victimKilledMs' in one && startMs >= one.killedMs && startMs <= one.victimKilledMs,
    );
  const { lost, doubled, wrong, forgotten } = judgeRows(journal.operations, tables, mayBeForgotten);
  const { assignments, events } = tables;
  t.comment(`${assignments.length} assignments and ${events.length} events on record`);
  t.comment(`${forgotten.length} assignments answered x-recorded: false and forgotten with their process`);
  t.strictSame(lost.slice(0, 5), [], `${lost.length} lost`);
  t.strictSame(doubled.slice(0, 5), [], `${doubled.length} doubled`);
  t.strictSame(wrong.slice(0, 5), [], `${wrong.length} wrong`);
  for (const experimentId of experimentIds)
    await t.test(experimentId, (t) => judgeSums(t, client, experimentId, tables));
  const ids = await streams.readIds(eventsStream);
  const inStream = new Set(ids);
  const expected = new Set(events.map(({ id }) => id));
  t.strictSame([...expected].filter((id) => !inStream.has(id)).slice(0, 5), [], 'EVENTS has every event');
  t.strictSame([...inStream].filter((id) => !expected.has(id)).slice(0, 5), [], 'and no other');
  const holdings = await streams.readHoldings(eventsStream);
  t.equal(holdings.length, 3);
  t.strictSame(new Set(holdings), new Set(holdings.slice(0, 1)), 'every replica holds the same');
  t.comment(`EVENTS holds ${ids.length} messages, ${ids.length - inStream.size} of them twice`);
}

async function isPublished(url: string): Promise<boolean> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const counts = [...metrics.matchAll(/^bandit_learner_(?:unpublished_events|lag_seconds)\{.*\} (\S+)$/gm)];
  return counts.length === 4 && counts.every(([, count]) => Number(count) === 0);
}

async function testRecords(
  t: Test,
  { streams }: Scene,
  outages: readonly (Outage | PostgresOutage)[],
): Promise<void> {
  for (const outage of outages) {
    if (!('nAnswered' in outage)) continue;
    const { nAnswered, nSaidUnrecorded, keptAfterMs, drainedAfterMs } = outage;
    t.comment(`${nAnswered} answered without Postgres, ${nSaidUnrecorded} of them x-recorded: false`);
    t.comment(`RECORDS had all ${keptAfterMs.toFixed(0)} ms later`);
    t.ok(drainedAfterMs < drainedPromisedMs, `drained ${drainedAfterMs.toFixed(0)} ms after Postgres`);
  }
  t.equal(await streams.nKept(), 0, 'nothing is kept');
}

async function testChange(t: Test, client: Client): Promise<void> {
  const treatments = ['A', 'B'].map((name) => ({ name, config: { content: name } }));
  const experimentId = await client.activate({ name: 'Paused', algorithm: 'UCB1', treatments });
  const ask = async (): Promise<number> =>
    (await client.track('POST', '/assignments', { experimentId, userId: 'user' })).status;
  for (let i = 0; i < nBoth; i += 1) t.equal(await ask(), 200, 'a new experiment is served at once');
  const paused = await client.manage('PUT', `/experiments/${experimentId}`, { status: 'PAUSED' });
  const startedMs = performance.now();
  t.equal(paused.status, 200);
  let lastOtherMs = startedMs;
  for (let nInRow = 0; nInRow < nBoth && performance.now() - startedMs < settledWithinMs; ) {
    nInRow = (await ask()) === 400 ? nInRow + 1 : 0;
    if (nInRow === 0) lastOtherMs = performance.now();
  }
  const tookMs = lastOtherMs - startedMs;
  t.ok(tookMs < changePromisedMs, `paused everywhere after ${tookMs.toFixed(0)} ms`);
}
