import { withCompany } from '@bandit/db';
import { forEachStore } from '@bandit/db/testing';
import t from 'tap';
import { type Answer, createHarness, type Harness, insertAssignment, send, type Tenant } from './harness.ts';

type Call = readonly [method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, body?: object];

/** Ids of everything a tenant can have. */
interface Ids {
  readonly experiment: string;
  readonly treatment: string;
  readonly funnel: string;
  readonly apiKey: string;
  readonly member: string;
}

async function furnish(harness: Harness, tenant: Tenant): Promise<Ids> {
  const { id: experiment, treatments } = await tenant.activeExperiment();
  const treatment = treatments[0]!.id;
  const funnel = (await tenant.call('POST', '/funnels', { name: 'F', experimentIds: [experiment] })).body.data
    .id;
  const apiKey = (await tenant.call('POST', '/api-keys', { name: 'K' })).body.data.id;
  const email = `m-${tenant.companyId.slice(4).toLowerCase()}@example.com`;
  const member = (await tenant.call('POST', '/members', { email, role: 'member' })).body.data.id;
  const of = {
    companyId: tenant.companyId,
    experimentId: experiment,
    treatmentId: treatment,
    userId: 'user_42',
  };
  await insertAssignment(harness.db, of);
  return { experiment, treatment, funnel, apiKey, member };
}

/** Every route that takes an id, with ids in each place; `own` are the caller's. */
function callsWith(ids: Ids, own: Ids): Call[] {
  const { experiment, treatment, funnel, apiKey, member } = ids;
  return [
    ['GET', `/experiments/${experiment}`],
    ['PUT', `/experiments/${experiment}`, { name: 'taken' }],
    ['POST', `/experiments/${experiment}/refresh`],
    ['POST', `/experiments/${experiment}/treatments`, { name: 'T', config: { content: 'c' } }],
    ['DELETE', `/experiments/${experiment}/treatments/${treatment}`],
    ['DELETE', `/experiments/${experiment}/treatments/${own.treatment}`],
    ['DELETE', `/experiments/${own.experiment}/treatments/${treatment}`],
    ['GET', `/experiments/${experiment}/results`],
    ['POST', `/experiments/${experiment}/generate-variant`],
    ['GET', `/events/${experiment}`],
    ['POST', '/funnels', { name: 'F', experimentIds: [own.experiment, experiment] }],
    ['GET', `/funnels/${funnel}`],
    ['PUT', `/funnels/${funnel}`, { name: 'taken' }],
    ['DELETE', `/funnels/${funnel}`],
    ['POST', `/funnels/${funnel}/reward`, { userId: 'user_42', value: 1 }],
    ['DELETE', `/api-keys/${apiKey}`],
    ['PUT', `/members/${member}`, { role: 'admin' }],
    ['DELETE', `/members/${member}`],
  ];
}

const unknownIds: Ids = {
  experiment: `exp_${'x'.repeat(22)}`,
  treatment: `trt_${'x'.repeat(22)}`,
  funnel: `fnl_${'x'.repeat(22)}`,
  apiKey: `key_${'x'.repeat(22)}`,
  member: `mbr_${'x'.repeat(22)}`,
};

/** All but the timestamp and the request's id. */
function comparable({ status, headers, text }: Answer) {
  const { 'x-request-id': _, date: __, ...rest } = headers;
  return { status, headers: rest, text: text.replace(/"timestamp":"[^"]*"/, '') };
}

const tables = [
  'members',
  'api_keys',
  'experiments',
  'treatments',
  'funnels',
  'funnel_experiments',
  'funnel_rewards',
  'audit_log',
  'assignments',
  'events',
  'event_keys',
] as const;

async function dump(db: Harness['db'], companyId: string) {
  const rows = [];
  for (const table of tables) {
    rows.push(await db.selectFrom(table).where('company_id', '=', companyId).selectAll().execute());
  }
  return rows;
}

t.test('two tenants on every route', (t) =>
  forEachStore(t, async (t, store) => {
    const harness = await createHarness(t, store);
    const victim = await harness.tenant('Victim');
    const theirs = await furnish(harness, victim);
    const stranger = await harness.tenant('Stranger');
    const own = await furnish(harness, stranger);

    await t.test(
      "another company's id answers byte for byte as an unknown one, and nothing moves",
      async (t) => {
        const before = await dump(harness.db, victim.companyId);
        const foreign = callsWith(theirs, own);
        const unknown = callsWith(unknownIds, own);
        for (const [index, [method, url, body]] of foreign.entries()) {
          const other = unknown[index]!;
          const answer = await stranger.call(method, url, body);
          const expected = await stranger.call(other[0], other[1], other[2]);
          t.same(comparable(answer), comparable(expected), `${method} ${other[1]}`);
          t.equal(answer.status, url === '/funnels' ? 400 : 404, `${method} ${other[1]}`);
        }
        t.same(await dump(harness.db, victim.companyId), before);
      },
    );

    await t.test('the same with an API key where the route takes one', async (t) => {
      const reward = (id: string) => {
        const headers = { 'x-api-key': stranger.apiKey };
        const payload = { userId: 'user_42', value: 1 };
        return send(harness.app, { method: 'POST', url: `/funnels/${id}/reward`, payload, headers });
      };
      const [foreign, unknown] = [await reward(theirs.funnel), await reward(unknownIds.funnel)];
      t.same(comparable(foreign), comparable(unknown));
      t.equal(foreign.status, 404);
      t.equal((await reward(own.funnel)).status, 200);
    });

    await t.test('lists show the own company only', async (t) => {
      for (const url of ['/experiments', '/funnels', '/api-keys', '/members', '/audit-log']) {
        const { status, text } = await stranger.call('GET', url);
        t.equal(status, 200);
        for (const id of [...Object.values(theirs), victim.companyId, victim.email]) {
          t.notOk(text.includes(id), `${url} holds ${id}`);
        }
      }
    });

    await t.test('every session route refuses an API key and no credentials with 401', async (t) => {
      const calls: Call[] = [
        ...callsWith(own, own).filter(([, url]) => !url.endsWith('/reward')),
        ['GET', '/experiments'],
        ['POST', '/experiments', { name: 'E', algorithm: 'UCB1' }],
        ['GET', '/funnels'],
        ['GET', '/api-keys'],
        ['POST', '/api-keys', { name: 'K' }],
        ['GET', '/members'],
        ['POST', '/members', { email: 'new@example.com', role: 'member' }],
        ['GET', '/audit-log'],
        ['POST', '/companies', { name: 'C', adminEmail: 'new@example.com' }],
      ];
      for (const [method, url, payload] of calls) {
        for (const headers of [
          {},
          { 'x-api-key': stranger.apiKey },
          { authorization: `Bearer ${stranger.apiKey}` },
        ]) {
          const answer = await send(harness.app, { method, url, ...(payload ? { payload } : {}), headers });
          t.match(
            answer,
            { status: 401, body: { success: false, code: 'UNAUTHORIZED' } },
            `${method} ${url}`,
          );
        }
      }
    });

    await t.test('a reward takes a key with scope events, and no other', async (t) => {
      const make = async (scopes: string[]) =>
        (await stranger.call('POST', '/api-keys', { name: 'K', scopes })).body.data.key;
      const reward = (headers: Record<string, string>) =>
        send(harness.app, {
          method: 'POST',
          url: `/funnels/${own.funnel}/reward`,
          payload: { userId: 'user_42', value: 1 },
          headers,
        });
      t.match(await reward({ 'x-api-key': await make(['assign']) }), {
        status: 403,
        body: { code: 'FORBIDDEN' },
      });
      t.equal((await reward({ 'x-api-key': await make(['events']) })).status, 409);
      t.equal((await reward({ authorization: `Bearer ${await make(['events'])}` })).status, 409);
      t.equal((await reward({})).status, 401);
      t.equal((await reward({ 'x-api-key': 'bk_test_nonsense' })).status, 401);
    });

    await t.test('row-level security holds where a query forgets its WHERE', async (t) => {
      for (const table of tables) {
        const rows = await withCompany(harness.db, stranger.companyId, (trx) =>
          trx.selectFrom(table).select('company_id').execute(),
        );
        t.ok(rows.length > 0 && rows.every((row) => row.company_id === stranger.companyId), table);
      }
      const steal = withCompany(harness.db, stranger.companyId, (trx) =>
        trx.updateTable('experiments').set({ name: 'taken' }).where('id', '=', theirs.experiment).execute(),
      );
      t.equal((await steal)[0]?.numUpdatedRows, 0n);
      const plant = withCompany(harness.db, stranger.companyId, (trx) =>
        trx
          .insertInto('funnels')
          .values({ company_id: victim.companyId, id: 'fnl_planted', name: 'x', description: null })
          .execute(),
      );
      await t.rejects(plant, { code: '42501' });
    });
  }),
);
