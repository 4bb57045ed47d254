import type { Operation } from './journal.ts';
import { type Outage, type Scene, startAgain, waitForOk, waitUntilWhole } from './outages.ts';
import { waitFor } from './wait-for.ts';

export interface PostgresOutage extends Outage {
  /** Assignments answered without the database, up to a look. */
  readonly nAnswered: number;
  /** Of those, answers that said `x-recorded: false`. */
  readonly nSaidUnrecorded: number;
  /** What one process answered before, saying `x-recorded: false`, may be forgotten. */
  readonly victimKilledMs: number;
  /** From that look until RECORDS had all of them. */
  readonly keptAfterMs: number;
  /** From Postgres's first answer until nothing waited in RECORDS. */
  readonly drainedAfterMs: number;
}

const keptMsMax = 60_000;
const drainMsMax = 60_000;

/**
 * Postgres dies while one NATS server is dead: two of three keep what is answered. Then a process that answered
 * dies with its memory, so that only RECORDS has what it promised; then Postgres comes back, and the NATS server last.
 */
export async function killPostgresWithoutOneNats(scene: Scene, round: number): Promise<PostgresOutage> {
  const { clusters, streams, fleet, journal } = scene;
  const what = 'Postgres and a NATS server';
  const server = clusters.nats.servers[(round + 1) % clusters.nats.servers.length]!;
  const killedNatsMs = performance.now();
  await server.kill('SIGKILL');
  await waitForOk(scene, killedNatsMs, 'a NATS server');
  const killedMs = performance.now();
  await clusters.postgres.kill('SIGKILL');
  const deadMs = performance.now();
  await waitForOk(scene, deadMs, what);

  const snapshotMs = performance.now();
  const answered = answeredSince(journal.operations, deadMs);
  const keptMs = await waitUntilKept(scene, answered);
  const victim = `assignment-${(round % 2) + 1}`;
  process.kill(fleet.pids()[victim] as number, 'SIGKILL');
  const victimKilledMs = performance.now();
  await waitForOk(scene, victimKilledMs, `${what} and ${victim}`);

  await clusters.postgres.restart();
  const backMs = performance.now();
  await waitFor('RECORDS is drained', async () => (await streams.nKept()) === 0, drainMsMax);
  const drainedAfterMs = performance.now() - backMs;
  const nStarts = await startAgain(server);
  const wholeMs = await waitUntilWhole(scene, what);
  return {
    ...{ what, nKilled: 3, killedMs, backMs, wholeMs, hadNoPostgres: true, nStarts },
    nAnswered: answered.length,
    nSaidUnrecorded: answered.filter(({ isRecorded }) => !isRecorded).length,
    keptAfterMs: keptMs - snapshotMs,
    victimKilledMs,
    drainedAfterMs,
  };
}

/** Of users who were never heard of while Postgres lived. */
function answeredSince(operations: readonly Operation[], deadMs: number) {
  const assigns = operations.filter(({ kind }) => kind === 'assign');
  const known = new Set(assigns.filter(({ startMs }) => startMs < deadMs).map(({ id }) => id));
  return assigns.flatMap(({ id, assigned }) => (assigned === undefined || known.has(id) ? [] : [assigned]));
}

/** @returns when RECORDS had every one of them */
async function waitUntilKept(scene: Scene, answered: readonly { assignmentId: string }[]): Promise<number> {
  const hasAll = async () => {
    const kept = await scene.streams.readRecords();
    return answered.every(({ assignmentId }) => kept.has(assignmentId));
  };
  await waitFor(`RECORDS keeps ${answered.length} answers`, hasAll, keptMsMax);
  return performance.now();
}
