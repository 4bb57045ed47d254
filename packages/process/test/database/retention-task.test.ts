import { setTimeout as delay } from 'node:timers/promises';
import type { OpenedDatabase } from '@bandit/db';
import { forEachStore, sql } from '@bandit/db/testing';
import { Registry } from 'prom-client';
import t from 'tap';
import { createRetentionTask, startUpkeep } from '../../src/index.ts';

type Db = OpenedDatabase['db'];
const dayMs = 86_400_000;

/** One assignment of 100 days ago and one of now, both learned. */
async function insertFacts(db: Db): Promise<void> {
  await sql`insert into companies (id, name) values ('c', 'c')`.execute(db);
  await sql`insert into experiments (company_id, id, partition, name, algorithm, content_type, assignment_ttl)
    values ('c', 'e', 3, 'e', 'UCB1', 'PLAIN_TEXT', 0)`.execute(db);
  await sql`insert into treatments (company_id, experiment_id, id, position, name, config, weight)
    values ('c', 'e', 't', 0, 't', '{}', 1)`.execute(db);
  for (const [nonce, age] of [
    ['a', '100 days'],
    ['b', '0 days'],
  ] as const)
    await sql`insert into assignments (company_id, experiment_id, treatment_id, nonce, user_id, assigned_at, expires_at,
        confidence, state_version, source, mac_key_id, is_first, partition, position)
      values ('c', 'e', 't', ${Buffer.alloc(16, nonce)}, ${nonce}, now() - ${age}::interval, now() - ${age}::interval,
        0, 0, 'client', 'k', true, 3, 0)`.execute(db);
  await sql`update learner_partitions set cursor_batch = 1::bigint << 50, published_batch = 1::bigint << 50`.execute(
    db,
  );
}

t.setTimeout(120_000);

await t.test('upkeep drops what is older than retention, and tells', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    await insertFacts(db);
    const registry = new Registry();
    const lines: unknown[] = [];
    const log = {
      info: (details: unknown) => lines.push(details),
      warn: (...args: unknown[]) => t.fail('a warning', { args }),
    } as never;
    const retain = createRetentionTask({ db, retentionMs: 30 * dayMs, log, registry });
    const upkeep = startUpkeep({ db, isEmbedded: false, log, retain, firstMs: 0 });
    const signal = AbortSignal.timeout(60_000);
    const readUsers = async () =>
      (await db.selectFrom('assignments').select('user_id').execute()).map((row) => row.user_id);
    const isTold = async () =>
      (await registry.metrics()).match(/oldest_month_timestamp_seconds [1-9]/) !== null;
    while (!(await isTold())) await delay(20, undefined, { signal });
    await upkeep.close();
    t.same(await readUsers(), ['b']);
    t.same(lines, [], 'it lay in the default partition, as its month was never made');
    const { rows } = await sql`select fact_kind, partition, n from dropped_facts`.execute(db);
    t.same(rows, [{ fact_kind: 'assignment', partition: 3, n: 1 }]);
  });
});

await t.test('closing ends a run between two steps', async (t) => {
  await forEachStore(t, async (t, { db }) => {
    await insertFacts(db);
    const stop = new AbortController();
    stop.abort();
    const log = { info: () => undefined };
    const retain = createRetentionTask({ db, retentionMs: 30 * dayMs, log, registry: new Registry() });
    await t.rejects(retain(stop.signal), { name: 'AbortError' });
    t.same(await sql`select n from dropped_facts`.execute(db).then(({ rows }) => rows), []);
    await retain(new AbortController().signal);
    t.same(await sql`select n from dropped_facts`.execute(db).then(({ rows }) => rows), [{ n: 1 }]);
  });
});
