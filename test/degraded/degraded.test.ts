/**
 * One store at a time is dead, hangs, is 200 ms away or refuses connections, under mixed load from a client in a process of
 * its own: assignments go on, what cannot be promised is refused in time, and all comes right by itself afterwards.
 */
import t, { type Test } from 'tap';
import { abExperiment } from '../processes/start-platform.ts';
import { testOnStores } from '../processes/start-stores.ts';
import { type Failure, failures, faultOf } from './faults.ts';
import { printTable, type Row } from './figures.ts';
import { judgeRound } from './judge-round.ts';
import { expectNoDifference, expectRefusals, type Given } from './meanwhile.ts';
import { openPlatform, type Platform, type StoreName, storeNames } from './open-platform.ts';
import { runRound } from './run-round.ts';

t.setTimeout(590_000);

/** A part of `postgres stopped` and so on, to look at one. */
const wanted = process.env.DEGRADED_ONLY ?? '';

testOnStores(t, 'two assignment processes, one of each other kind, one store away', async (t) => {
  const platform = await openPlatform(t);
  const given = await prepare(platform);
  const rows: Row[] = [];
  for (const name of storeNames)
    for (const failure of failures) {
      const what = `${name} ${failure}`;
      if (!what.includes(wanted)) continue;
      await t.test(what, async (t) => void rows.push(await testStore(t, platform, { name, failure, given })));
    }
  printTable(rows);
});

interface Scene {
  readonly name: StoreName;
  readonly failure: Failure;
  readonly given: Given;
}

async function testStore(t: Test, platform: Platform, scene: Scene): Promise<Row> {
  const { name, failure, given } = scene;
  const what = `${name} ${failure}`;
  const isDatabaseAway = name === 'postgres';
  const mayRefuse = isDatabaseAway && failure !== 'slow';
  const round = await runRound(t, platform, {
    name: what,
    fault: faultOf(platform, name, failure),
    store: name,
    meanwhile: () => (mayRefuse ? expectRefusals(t, platform, given) : expectNoDifference(t, platform)),
  });
  const row = await judgeRound(t, platform, { what, round, isDatabaseAway });
  if (!t.passing()) printLogs(platform, round.failedMs);
  return row;
}

/** What the assignment processes said since the failure. */
function printLogs({ assignments }: Platform, sinceMs: number): void {
  for (const [n, { output }] of assignments.entries())
    for (const line of output().split('\n'))
      if (line.startsWith('{') && Date.parse(JSON.parse(line).time) >= sinceMs)
        console.log(`# assignment ${n}: ${line}`);
}

/** What requests to a dead database name. */
async function prepare({ manager, assignments, clientOf }: Platform): Promise<Given> {
  const experimentId = await manager.activate(abExperiment('Refused while Postgres is away'));
  const funnel = await manager.manage('POST', '/funnels', { name: 'Refused', experimentIds: [experimentId] });
  const userId = 'refused';
  const assigned = await clientOf(assignments[0]!).track('POST', '/assignments', { experimentId, userId });
  return {
    experimentId,
    funnelId: funnel.body.data.id,
    treatmentId: assigned.body.data.treatment.id,
    assignmentId: assigned.body.data.assignmentId,
    userId,
  };
}
