import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import t from 'tap';
import type { Database } from '../../src/index.ts';
import {
  type CurrentAssignmentKey,
  findApiKey,
  findCurrentAssignments,
  findRecordedNonces,
  insertAssignments,
  listCompanyVersions,
  listServingStates,
  loadCompanies,
  loadServingState,
  type NewAssignment,
  probeWrites,
} from '../../src/index.ts';
import { forEachStore } from '../../src/testing.ts';

const startMs = 1_790_000_000_123;
const hex = (nonce: Uint8Array) => Buffer.from(nonce).toString('hex');
let nCompanies = 0;

/** A company of its own with one experiment of two treatments. */
async function seed(db: Kysely<Database>) {
  const companyId = `cmp_${nCompanies++}`;
  const experimentId = `exp_${companyId}`;
  await db.insertInto('companies').values({ id: companyId, name: companyId }).execute();
  await db
    .insertInto('experiments')
    .values({
      company_id: companyId,
      id: experimentId,
      partition: 3,
      name: 'e',
      algorithm: 'THOMPSON_SAMPLING',
      content_type: 'PLAIN_TEXT',
      assignment_ttl: 60,
    })
    .execute();
  await db
    .insertInto('treatments')
    .values(
      ['trt_a', 'trt_b'].map((id, position) => ({
        company_id: companyId,
        experiment_id: experimentId,
        id: `${id}_${companyId}`,
        position,
        name: id,
        config: '{"content":"x"}',
        weight: 1,
      })),
    )
    .execute();
  return (userId: string, change: Partial<NewAssignment> = {}): NewAssignment => ({
    companyId,
    experimentId,
    treatmentId: `trt_a_${companyId}`,
    partition: 3,
    userId,
    nonce: randomBytes(16),
    assignedAtMs: startMs,
    expiresAtMs: startMs + 60_000,
    propensity: 0.1 + 0.2,
    confidence: 0.5,
    stateVersion: 7,
    predictions: undefined,
    context: undefined,
    macKeyId: 'mk1',
    isSticky: true,
    droppedNonce: undefined,
    ...change,
  });
}

async function recordedRows(db: Kysely<Database>, { companyId, userId }: CurrentAssignmentKey) {
  return await db
    .selectFrom('assignments')
    .selectAll()
    .where('company_id', '=', companyId)
    .where('user_id', '=', userId)
    .orderBy('assigned_at')
    .execute();
}

t.test('decisions go on record and decide who has what', async (t) => {
  await forEachStore(t, async (t, { db, open }) => {
    // With the rights that the service has, where the store knows roles.
    const accept = open({ role: 'bandit_accept' });

    await t.test('every field comes back as it was given', async (t) => {
      const row = (await seed(db))('u', {
        predictions: [0.25, 1e-9],
        context: { device: 'mobile', age: 3.5, isNew: true, 'quote"': '\\{},' },
      });
      t.strictSame(await insertAssignments(accept, [row]), new Set([hex(row.nonce)]));
      const [stored] = await recordedRows(db, row);
      t.match(stored, {
        treatment_id: row.treatmentId,
        propensity: row.propensity,
        confidence: 0.5,
        state_version: 7,
        predictions: [0.25, 1e-9],
        context: row.context,
        source: 'draw',
        mac_key_id: 'mk1',
        is_first: true,
        partition: 3,
        position: 0,
      });
      t.equal(stored?.assigned_at.getTime(), startMs);
      t.equal(stored?.expires_at.getTime(), startMs + 60_000);
      const [held] = await findCurrentAssignments(accept, [row]);
      t.match(held, { treatmentId: row.treatmentId, assignedAtMs: startMs, propensity: row.propensity });
      t.equal(hex(held!.nonce), hex(row.nonce));
    });

    await t.test('the first of two decisions wins, and a repeat of it changes nothing', async (t) => {
      const make = await seed(db);
      const [first, second] = [make('u'), make('u')];
      await insertAssignments(accept, [first]);
      t.equal((await insertAssignments(accept, [second])).size, 0);
      t.equal((await insertAssignments(accept, [first])).size, 0);
      t.equal((await recordedRows(db, first)).length, 1);
      t.equal(hex((await findCurrentAssignments(accept, [second]))[0]!.nonce), hex(first.nonce));
    });

    await t.test('an expired or dropped assignment gives way, to the millisecond', async (t) => {
      const make = await seed(db);
      const first = make('u');
      await insertAssignments(accept, [first]);
      const early = make('u', { assignedAtMs: first.expiresAtMs - 1 });
      t.equal((await insertAssignments(accept, [early])).size, 0);
      const next = make('u', { assignedAtMs: first.expiresAtMs, expiresAtMs: first.expiresAtMs + 60_000 });
      t.equal((await insertAssignments(accept, [next])).size, 1);
      const wrong = make('u', { assignedAtMs: next.assignedAtMs + 1, droppedNonce: first.nonce });
      t.equal((await insertAssignments(accept, [wrong])).size, 0, 'only the dropped nonce itself gives way');
      const replacing = make('u', { assignedAtMs: next.assignedAtMs + 2, droppedNonce: next.nonce });
      t.equal((await insertAssignments(accept, [replacing])).size, 1);
      const rows = await recordedRows(db, first);
      t.strictSame(
        rows.map((row) => row.is_first),
        [true, false, false],
      );
      const current = await db
        .selectFrom('current_assignments')
        .selectAll()
        .where('nonce', '=', Buffer.from(replacing.nonce))
        .execute();
      t.equal(current[0]?.n_draws, 3);
    });

    await t.test('without stickiness each decision is recorded and none is current', async (t) => {
      const make = await seed(db);
      const once = { isSticky: false, expiresAtMs: startMs };
      const rows = [make('u', once), make('u', once), make('v', once)];
      t.equal((await insertAssignments(accept, rows)).size, 3);
      t.equal((await insertAssignments(accept, rows)).size, 0, 'the same decisions again');
      t.strictSame(await findRecordedNonces(accept, rows), new Set(rows.map(({ nonce }) => hex(nonce))));
      t.equal((await insertAssignments(accept, [make('u', { ...once, assignedAtMs: startMs + 1 })])).size, 1);
      t.same((await recordedRows(db, rows[0]!)).map((row) => row.is_first).sort(), [false, false, true]);
      t.equal((await findCurrentAssignments(accept, rows)).length, 0);
    });

    await t.test('an unexpired assignment from before ttl 0 still stands', async (t) => {
      const make = await seed(db);
      const sticky = make('u');
      await insertAssignments(accept, [sticky]);
      const once = make('u', { isSticky: false, assignedAtMs: startMs + 1 });
      t.equal((await insertAssignments(accept, [once])).size, 0);
      const later = make('u', { isSticky: false, assignedAtMs: sticky.expiresAtMs });
      t.equal((await insertAssignments(accept, [later])).size, 1);
    });

    await t.test('one statement writes one fact batch a partition, with positions from zero', async (t) => {
      const make = await seed(db);
      const rows = Array.from({ length: 6 }, (_, i) => make(`u${i}`, { partition: i % 2 }));
      await insertAssignments(accept, rows);
      const stored = await db
        .selectFrom('assignments')
        .selectAll()
        .where('company_id', '=', rows[0]!.companyId)
        .orderBy('position')
        .execute();
      const batch = stored[0]!.batch;
      t.ok(stored.every((row) => row.batch === batch));
      for (const partition of [0, 1]) {
        const own = stored.filter((row) => row.partition === partition);
        t.strictSame(
          own.map((row) => row.position),
          [0, 1, 2],
        );
      }
      const batches = await db
        .selectFrom('fact_batches')
        .selectAll()
        .where('batch', '=', batch)
        .orderBy('partition')
        .execute();
      t.match(batches, [
        { partition: 0, n_assignments: 3, n_events: 0 },
        { partition: 1, n_assignments: 3, n_events: 0 },
      ]);
    });

    await t.test('many connections at once never give a user two assignments', async (t) => {
      const make = await seed(db);
      const other = open({ role: 'bandit_accept' });
      const users = Array.from({ length: 25 }, (_, i) => `u${i}`);
      const groups = Array.from({ length: 8 }, (_, i) =>
        (i % 2 ? users : users.toReversed()).map((userId) => make(userId)),
      );
      const recorded = await Promise.all(
        groups.map((group, i) => insertAssignments(i % 2 ? accept : other, group)),
      );
      const winners = new Set(recorded.flatMap((nonces) => [...nonces]));
      t.equal(winners.size, 25);
      const held = await findCurrentAssignments(accept, groups[0]!);
      t.strictSame(new Set(held.map(({ nonce }) => hex(nonce))), winners);
    });

    await t.test(
      'the configuration of a company and its live keys are loaded with the same rights',
      async (t) => {
        const { companyId, experimentId, treatmentId } = (await seed(db))('u');
        const key = { company_id: companyId, name: 'k', prefix: 'bk', scopes: ['assign' as const] };
        await db
          .insertInto('api_keys')
          .values([
            { ...key, id: 'key_1', key_id: `live ${companyId}`, secret_hash: Buffer.alloc(32, 1) },
            {
              ...key,
              id: 'key_2',
              key_id: `revoked ${companyId}`,
              secret_hash: Buffer.alloc(32, 2),
              revoked_at: new Date(startMs),
            },
          ])
          .execute();
        await db
          .updateTable('treatments')
          .set({ removed_at: new Date(startMs), config: '{"content":"x","metadata":{"a":1}}' })
          .where('id', '=', treatmentId)
          .execute();
        const versions = await listCompanyVersions(accept);
        t.same(
          versions.find((company) => company.companyId === companyId),
          { companyId, version: 1 },
        );
        const [snapshot] = await loadCompanies(accept, [companyId, 'cmp_unknown']);
        t.match(snapshot, { companyId, version: 1, apiKeys: [{ id: 'key_1', scopes: ['assign'] }] });
        t.equal(snapshot?.apiKeys.length, 1);
        t.match(snapshot?.experiments, [
          {
            id: experimentId,
            partition: 3,
            assignmentTtlSeconds: 60,
            treatments: [
              { position: 0, isLive: false, config: { content: 'x', metadata: { a: 1 } } },
              { position: 1, isLive: true, isOriginal: true },
            ],
          },
        ]);
        t.match(await findApiKey(accept, `live ${companyId}`), { companyId, id: 'key_1' });
        t.equal(await findApiKey(accept, `revoked ${companyId}`), undefined);
        await probeWrites(accept);
      },
    );

    await t.test('serving states are listed since a moment, large ones by name only', async (t) => {
      const { companyId, experimentId } = (await seed(db))('u');
      const row = {
        company_id: companyId,
        experiment_id: experimentId,
        version: 4,
        through_batch: 1,
        n_trials: 1,
      };
      t.equal(await loadServingState(accept, companyId, experimentId), undefined);
      await db
        .insertInto('experiment_states')
        .values({ ...row, state: Buffer.from('s'), serving: Buffer.from('serving') })
        .execute();
      t.match(await loadServingState(accept, companyId, experimentId), {
        version: 4,
        serving: Buffer.from('serving'),
      });
      const all = await listServingStates(accept, 0, 7);
      const [found] = all.filter((state) => state.experimentId === experimentId);
      t.match(found, { version: 4, serving: Buffer.from('serving') });
      const small = await listServingStates(accept, 0, 6);
      t.equal(small.find((state) => state.experimentId === experimentId)?.serving, undefined);
      t.equal((await listServingStates(accept, found!.updatedAtMs + 1, 7)).length, 0);
    });
  });
});
