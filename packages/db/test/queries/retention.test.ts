import { createHash } from 'node:crypto';
import { type Kysely, sql } from 'kysely';
import t from 'tap';
import {
  type AcceptItem,
  acceptEvents,
  assignmentEventKey,
  type Database,
  insertAssignments,
  isDataError,
  type NewAssignment,
  resolveAssignments,
  resolveLatestAssignments,
} from '../../src/index.ts';
import { forEachStore } from '../../src/testing.ts';

t.setTimeout(180_000);

const nMonths = 24;
const rowsPerMonth = 400;
const partition = 5;

function nonceOf(text: string): Buffer {
  return createHash('sha256').update(text).digest().subarray(0, 16);
}

/** Two years of assignments, 400 users a month, the same in each. */
async function insertYears(db: Kysely<Database>): Promise<void> {
  await sql`insert into companies (id, name) values ('c', 'c')`.execute(db);
  await sql`insert into experiments (company_id, id, partition, name, algorithm, content_type, assignment_ttl)
    values ('c', 'e', ${partition}, 'e', 'UCB1', 'PLAIN_TEXT', 0)`.execute(db);
  await sql`insert into treatments (company_id, experiment_id, id, position, name, config, weight)
    values ('c', 'e', 't', 0, 't', '{}', 1)`.execute(db);
  for (let ago = 1; ago <= nMonths; ago++) {
    const now = new Date();
    const [from, to] = [ago, ago - 1].map((n) =>
      new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - n)).toISOString(),
    ) as [string, string];
    const name = sql.id(`assignments_${from.slice(0, 7).replace('-', '_')}`);
    await sql`create table ${name} partition of assignments
      for values from (${sql.lit(from)}) to (${sql.lit(to)})`.execute(db);
    await sql`insert into assignments (company_id, experiment_id, treatment_id, nonce, user_id, assigned_at,
        expires_at, confidence, state_version, source, mac_key_id, is_first, partition, position)
      select 'c', 'e', 't', decode(md5(${from}::text || n), 'hex'), 'u' || n, ${from}::timestamptz + n * interval '1 min',
        ${from}::timestamptz, 0, 0, 'draw', 'k', false, ${partition}::integer, n
      from generate_series(1, ${rowsPerMonth}::integer) n`.execute(db);
  }
}

function decision(userId: string, isSticky: boolean): NewAssignment {
  const assignedAtMs = Date.now();
  const ids = { companyId: 'c', experimentId: 'e', treatmentId: 't', partition, userId };
  return {
    ...ids,
    nonce: nonceOf(`${userId} ${isSticky}`),
    assignedAtMs,
    expiresAtMs: assignedAtMs + (isSticky ? 60_000 : 0),
    propensity: 1,
    confidence: 0,
    stateVersion: 0,
    predictions: undefined,
    context: undefined,
    macKeyId: 'k',
    isSticky,
    droppedNonce: undefined,
  };
}

function conversion(assignment: NewAssignment): AcceptItem {
  const { companyId, experimentId, treatmentId, userId, nonce, assignedAtMs } = assignment;
  return {
    kind: 'event',
    companyId,
    experimentId,
    treatmentId,
    partition,
    userId,
    eventId: `evt_${userId}`,
    eventType: 'CONVERSION',
    value: 1,
    metadata: {},
    occurredAtMs: undefined,
    keys: [assignmentEventKey(nonce, 'CONVERSION')],
    trialKey: undefined,
    trialEventId: undefined,
    assignment: {
      nonce,
      assignedAtMs,
      signed: { expiresAtMs: assignedAtMs, propensity: 1, confidence: 0, stateVersion: 0 },
    },
    macKeyId: 'k',
  };
}

/** Rows of the months that this session has read, by scans and by indexes. */
async function readCounts(trx: Kysely<Database>): Promise<{ scanned: number; fetched: number }> {
  const { rows } = await sql<{ scanned: number; fetched: number }>`
    select sum(seq_tup_read) as scanned, sum(idx_tup_fetch) as fetched from pg_stat_xact_user_tables
    where relname ~ '^assignments_20'`.execute(trx);
  return rows[0]!;
}

await t.test('with two years of months each look-up stays one of an index', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    await insertYears(db);
    for (const statistics of ['without', 'with']) {
      if (statistics === 'with') await sql`analyze`.execute(db);
      const works: Record<string, (trx: Kysely<Database>) => Promise<unknown>> = {
        'a draw each time': (trx) =>
          insertAssignments(trx, [decision(`u7 ${statistics}`, false), decision('u7', false)]),
        'a draw that holds': (trx) => insertAssignments(trx, [decision(`u8 ${statistics}`, true)]),
        'an id that restores': (trx) => acceptEvents(trx, [conversion(decision(`u9 ${statistics}`, true))]),
        'a triplet': (trx) =>
          resolveAssignments(trx, 'c', [{ experimentId: 'e', treatmentId: 't', userId: 'u7' }]),
        'a funnel reward': (trx) => resolveLatestAssignments(trx, 'c', 'u7', ['e']),
      };
      for (const [name, work] of Object.entries(works)) {
        const rolledBack = new Error('rolled back');
        const run = db.transaction().execute(async (trx) => {
          const before = await readCounts(trx);
          await work(trx);
          const after = await readCounts(trx);
          const fetched = after.fetched - before.fetched;
          // A month that is nearly empty may be scanned.
          const scanned = after.scanned - before.scanned;
          t.ok(scanned <= 5, `${name}, ${statistics} statistics: ${scanned} rows by scans`);
          t.ok(fetched <= 3 * nMonths, `${name}, ${statistics} statistics: ${fetched} rows by index`);
          throw rolledBack;
        });
        await t.rejects(run, rolledBack);
      }
    }
  });
});

await t.test('an assignment of before the floor does not come back', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    await insertYears(db);
    const from = Date.now() - 900 * 86_400_000;
    const old = { ...decision('old', false), assignedAtMs: from, expiresAtMs: from };
    await sql`update retention_floor set expired_before = now() - interval '800 days'`.execute(db);
    const error = await insertAssignments(db, [old, decision('new', false)]).catch((reason) => reason);
    t.ok(isDataError(error), 'a decision is refused for its value, not for the state of the store');
    t.match(error.message, /older than retention/);
    t.equal((await insertAssignments(db, [decision('new', false)])).size, 1);
    const [verdict] = await acceptEvents(db, [conversion(old)]);
    t.equal(verdict?.isWon, true, 'an event on it is stored');
    const rows = await db.selectFrom('assignments').select('nonce').where('user_id', '=', 'old').execute();
    t.same(rows, [], 'and restores nothing');
  });
});
