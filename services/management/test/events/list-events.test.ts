import { randomBytes } from 'node:crypto';
import { partitionOfExperiment } from '@bandit/db';
import { forEachStore } from '@bandit/db/testing';
import { sql } from 'kysely';
import t from 'tap';
import { codec, createHarness, type Harness, insertAssignment } from '../harness.ts';

interface Listed {
  readonly id: string;
  readonly timestamp: string;
  readonly eventType: string;
}

async function insertEvent(
  db: Harness['db'],
  of: { companyId: string; experimentId: string; treatmentId: string; userId: string },
  receivedAt: Date,
  more: { id?: string; nonce?: Buffer; assignedAt?: Date; metadata?: object } = {},
): Promise<string> {
  const id = more.id ?? `evt_${randomBytes(16).toString('base64url')}`;
  const row = {
    company_id: of.companyId,
    experiment_id: of.experimentId,
    treatment_id: of.treatmentId,
    id,
    user_id: of.userId,
    event_type: 'CLICK' as const,
    value: 2.5,
    metadata: JSON.stringify(more.metadata ?? {}),
    source: 'client' as const,
    assignment_nonce: more.nonce ?? null,
    assigned_at: more.assignedAt ?? null,
    received_at: receivedAt,
    partition: partitionOfExperiment(of.experimentId),
    position: 0,
  };
  await db.insertInto('events').values(row).execute();
  return id;
}

t.test('event list', (t) =>
  forEachStore(t, async (t, store) => {
    const harness = await createHarness(t, store);
    const { db } = harness;

    await t.test('assignments and events in one order: newest receipt first, ties by id', async (t) => {
      const tenant = await harness.tenant();
      const { id: experimentId, treatments } = await tenant.activeExperiment();
      const of = { companyId: tenant.companyId, experimentId, treatmentId: treatments[0]!.id, userId: 'u' };
      const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
      const expected: Listed[] = [];
      for (let second = 0; second < 10; second += 1) {
        for (let tie = 0; tie < 3; tie += 1) {
          const nonce = await insertAssignment(db, of, { recordedAt: at(second) });
          const timestamp = at(second).toISOString();
          expected.push({ id: `evt_${nonce.toString('base64url')}`, timestamp, eventType: 'ASSIGNMENT' });
          const id = await insertEvent(db, of, at(second));
          expected.push({ id, timestamp, eventType: 'CLICK' });
        }
      }
      const newestFirst = (a: Listed, b: Listed) =>
        a.timestamp === b.timestamp ? (a.id < b.id ? 1 : -1) : a.timestamp < b.timestamp ? 1 : -1;
      expected.sort(newestFirst);
      const pick = ({ id, timestamp, eventType }: Listed) => ({ id, timestamp, eventType });
      const read = async (query: string) => {
        const { status, body, headers } = await tenant.call('GET', `/events/${experimentId}${query}`);
        t.equal(status, 200, query);
        t.equal(headers['x-total-count'], '60');
        return body.data.map(pick);
      };
      t.same(await read(''), expected);
      t.same(await read('?limit=7&offset=5'), expected.slice(5, 12));
      t.same(await read('?limit=1000&offset=58'), expected.slice(58));
      t.same(await read('?offset=60'), []);
      t.same(await read('?offset=1000000&limit=1'), []);
    });

    await t.test('every field of an item, with the assignment id made again', async (t) => {
      const tenant = await harness.tenant();
      const { id: experimentId, treatments } = await tenant.activeExperiment();
      const of = { companyId: tenant.companyId, experimentId, treatmentId: treatments[0]!.id, userId: 'u9' };
      const assignedAt = new Date('2026-01-01T00:00:00.123Z');
      const made = { assignedAt, recordedAt: assignedAt, source: 'client', value: 4 } as const;
      const nonce = await insertAssignment(db, of, made);
      const later = new Date('2026-01-01T00:00:05.000Z');
      const id = await insertEvent(db, of, later, { nonce, assignedAt, metadata: { a: [1, { b: null }] } });
      const latest = new Date('2026-01-01T00:00:06.000Z');
      await insertEvent(db, of, latest, { nonce: randomBytes(16), assignedAt });
      const { body } = await tenant.call('GET', `/events/${experimentId}`);
      const { assignmentId } = body.data[1].metadata;
      t.match(codec.verify(assignmentId), {
        nonce,
        ...of,
        assignedAtMs: assignedAt.getTime(),
        propensity: undefined,
      });
      const common = { experimentId, treatmentId: of.treatmentId, userId: 'u9' };
      t.same(body.data[0].metadata, {}, 'its assignment is no longer there');
      t.same(body.data.slice(1), [
        {
          ...common,
          id,
          eventType: 'CLICK',
          value: 2.5,
          metadata: { a: [1, { b: null }], assignmentId },
          timestamp: later.toISOString(),
        },
        {
          ...common,
          id: `evt_${nonce.toString('base64url')}`,
          eventType: 'ASSIGNMENT',
          value: 4,
          metadata: { assignmentId },
          timestamp: assignedAt.toISOString(),
        },
      ]);
    });

    await t.test('limit 100 by default; bad pages 400; unknown experiment 404', async (t) => {
      const tenant = await harness.tenant();
      const { id: experimentId, treatments } = await tenant.activeExperiment();
      const of = { companyId: tenant.companyId, experimentId, treatmentId: treatments[0]!.id, userId: 'u' };
      const at = new Date();
      await Promise.all(Array.from({ length: 101 }, () => insertEvent(db, of, at)));
      t.equal((await tenant.call('GET', `/events/${experimentId}`)).body.data.length, 100);
      const bad = [
        'limit=0',
        'limit=1001',
        'limit=-1',
        'limit=1.5',
        'limit=x',
        'limit=',
        'offset=-1',
        'offset=1e3',
        'cursor=1',
      ];
      for (const query of bad) {
        const answer = await tenant.call('GET', `/events/${experimentId}?${query}`);
        t.match(answer, { status: 400, body: { code: 'VALIDATION_ERROR' } }, query);
      }
      for (const id of ['exp_unknown', 'nonsense', '%00', '\0', 'é']) {
        const answer = await tenant.call('GET', `/events/${encodeURIComponent(id)}`);
        t.match(answer, { status: 404, body: { code: 'EXPERIMENT_NOT_FOUND' } });
      }
    });

    await t.test('a page of a long history is read from the indexes, not sorted whole', async (t) => {
      const tenant = await harness.tenant();
      const { id: experimentId, treatments } = await tenant.activeExperiment();
      const of = { companyId: tenant.companyId, experimentId, treatmentId: treatments[0]!.id };
      await sql`insert into events (company_id, experiment_id, treatment_id, id, user_id, event_type, source, received_at,
          partition, position)
        select ${of.companyId}, ${experimentId}, ${of.treatmentId}, 'evt_' || n, 'u', 'CLICK', 'client',
          timestamptz '2026-01-01' + n * interval '1 second', 0, n from generate_series(1, 20000) n`.execute(
        db,
      );
      await sql`analyze events`.execute(db);
      await sql`analyze assignments`.execute(db);
      const { rows } = await sql<{ 'QUERY PLAN': string }>`
        explain select id collate "C" as id, received_at from events
        where company_id = ${of.companyId} and experiment_id = ${experimentId}
        order by received_at desc, id collate "C" desc limit 100`.execute(db);
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      t.match(plan, /Index (Only )?Scan Backward using \S*company_id_experiment_id_received/);
      t.notMatch(plan, /^\s*->\s+Sort/m);
      const { body, headers } = await tenant.call('GET', `/events/${experimentId}?limit=3&offset=19990`);
      t.same(
        body.data.map((x: Listed) => x.id),
        ['evt_10', 'evt_9', 'evt_8'],
      );
      t.equal(headers['x-total-count'], '20000');
    });
  }),
);
