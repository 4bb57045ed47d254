import { auditHash, verifyAuditChain } from '@bandit/db';
import { forEachStore } from '@bandit/db/testing';
import { sql } from 'kysely';
import t, { type Test } from 'tap';
import { changeRole, removeMember } from '../../src/members/change-members.ts';
import { createHarness, cutFirstCommit, type Harness, platformToken, send } from '../harness.ts';

t.test('administration', (t) =>
  forEachStore(t, async (t, store) => {
    const harness = await createHarness(t, store);
    await t.test('companies', (t) => testCompanies(t, harness));
    await t.test('members', (t) => testMembers(t, harness));
    await t.test('API keys', (t) => testApiKeys(t, harness));
    await t.test('audit log', (t) => testAuditLog(t, harness));
  }),
);

async function testCompanies(t: Test, { app, db, store }: Harness): Promise<void> {
  const post = (payload: object, authorization?: string) =>
    send(app, {
      method: 'POST',
      url: '/companies',
      payload,
      headers: authorization ? { authorization } : {},
    });
  const bearer = `Bearer ${platformToken}`;

  await t.test('a tenant comes with an admin and a key that is shown once', async (t) => {
    const { status, body } = await post({ name: 'Acme', adminEmail: 'Ada@Acme.Example' }, bearer);
    t.equal(status, 201);
    t.match(body.data, { name: 'Acme', admin: { email: 'ada@acme.example', role: 'admin' } });
    t.match(body.data.id, /^cmp_/);
    t.match(body.data.apiKey, /^bk_/);
    t.same(Object.keys(body.data).sort(), ['admin', 'apiKey', 'id', 'name']);
    const key = await db
      .selectFrom('api_keys')
      .where('company_id', '=', body.data.id)
      .selectAll()
      .executeTakeFirstOrThrow();
    t.same(key.scopes, ['assign', 'events']);
    const admins = await send(app, { method: 'GET', url: '/members' }, 'ada@acme.example');
    t.match(admins, { status: 200, body: { data: [{ email: 'ada@acme.example' }] } });
  });

  await t.test('an e-mail is taken once over all companies, whatever its case', async (t) => {
    const count = () =>
      db
        .selectFrom('companies')
        .select((eb) => eb.fn.countAll<number>().as('n'))
        .executeTakeFirst();
    t.equal((await post({ name: 'One', adminEmail: 'bob@b.example' }, bearer)).status, 201);
    const before = await count();
    const second = await post({ name: 'Two', adminEmail: 'BOB@B.example' }, bearer);
    t.match(second, { status: 409, body: { code: 'EMAIL_TAKEN' } });
    t.same(await count(), before, 'no company is left behind');
  });

  await t.test('only the platform token opens it', async (t) => {
    const body = { name: 'X', adminEmail: 'x@x.example' };
    for (const header of [
      undefined,
      'Bearer',
      'Bearer ',
      `Bearer ${platformToken}x`,
      platformToken,
      `Basic ${platformToken}`,
    ]) {
      t.match(
        await post(body, header),
        { status: 401, body: { code: 'UNAUTHORIZED' } },
        header ?? 'no header',
      );
    }
    const closed = await createHarness(t, store, { platformToken: undefined });
    for (const header of ['Bearer undefined', 'Bearer ', bearer]) {
      const answer = await send(closed.app, {
        method: 'POST',
        url: '/companies',
        payload: body,
        headers: { authorization: header },
      });
      t.equal(answer.status, 401, 'without a configured token nothing does');
    }
  });

  await t.test('bad bodies are 400', async (t) => {
    const bad = [
      {},
      { name: 'A' },
      { adminEmail: 'a@a.example' },
      { name: '', adminEmail: 'a@a.example' },
      { name: 'A', adminEmail: 'a' },
      { name: 'A', adminEmail: 'a@b' },
      { name: 'A', adminEmail: 'a b@c.example' },
      { name: 'A', adminEmail: 'a@b@c.example' },
      { name: 'A', adminEmail: `${'a'.repeat(320)}@c.example` },
      { name: 'A', adminEmail: 'a@c.example', plan: 'free' },
    ];
    for (const body of bad)
      t.match(await post(body, bearer), { status: 400, body: { code: 'VALIDATION_ERROR' } });
  });
}

async function testMembers(t: Test, harness: Harness): Promise<void> {
  const tenant = await harness.tenant();
  const { call } = tenant;
  let n = 0;
  const unused = () => `m${++n}-${tenant.companyId.slice(4, 12).toLowerCase()}@example.com`;
  const add = async (role: string) => (await call('POST', '/members', { email: unused(), role })).body.data;

  await t.test('add, list, change role, remove', async (t) => {
    const email = unused();
    const added = await call('POST', '/members', { email: email.toUpperCase(), role: 'member' });
    t.match(added, { status: 201, body: { data: { email, role: 'member' } } });
    const listed = await call('GET', '/members');
    t.same(
      listed.body.data.map((x: { email: string }) => x.email),
      [tenant.email, email],
    );
    const { id } = added.body.data;
    t.match(await call('PUT', `/members/${id}`, { role: 'admin' }), {
      status: 200,
      body: { data: { role: 'admin' } },
    });
    t.match(await call('DELETE', `/members/${id}`), { status: 200, body: { data: { id } } });
    t.equal((await call('GET', '/experiments', undefined, email)).status, 401, 'a removed member is nobody');
    t.match(await call('DELETE', `/members/${id}`), { status: 404, body: { code: 'MEMBER_NOT_FOUND' } });
    t.match(await call('PUT', `/members/${id}`, { role: 'admin' }), { status: 404 });
  });

  await t.test('an e-mail of any company is 409, and a member may not administer', async (t) => {
    const other = await harness.tenant();
    for (const email of [tenant.email, other.email, other.email.toUpperCase()]) {
      t.match(await call('POST', '/members', { email, role: 'member' }), {
        status: 409,
        body: { code: 'EMAIL_TAKEN' },
      });
    }
    const member = await add('member');
    const routes = [
      ['GET', '/members'],
      ['POST', '/members', { email: unused(), role: 'member' }],
      ['PUT', `/members/${member.id}`, { role: 'admin' }],
      ['DELETE', `/members/${member.id}`],
      ['GET', '/api-keys'],
      ['POST', '/api-keys', { name: 'k' }],
      ['DELETE', '/api-keys/key_x'],
      ['GET', '/audit-log'],
    ] as const;
    for (const [method, url, body] of routes) {
      t.match(await call(method, url, body, member.email), { status: 403, body: { code: 'FORBIDDEN' } }, url);
      t.equal((await call(method, url, body, null)).status, 401, `${method} ${url} without credentials`);
    }
    t.equal((await call('GET', '/experiments', undefined, member.email)).status, 200);
  });

  await t.test('bad bodies are 400', async (t) => {
    const bad = [
      {},
      { email: unused() },
      { role: 'member' },
      { email: 'x', role: 'member' },
      { email: unused(), role: 'ADMIN' },
    ];
    for (const body of bad) t.equal((await call('POST', '/members', body)).status, 400, JSON.stringify(body));
    for (const body of [{}, { role: 'owner' }, { role: 'admin', email: unused() }]) {
      t.equal((await call('PUT', `/members/${tenant.adminId}`, body)).status, 400);
    }
  });

  await t.test('the last admin stays, also when two demote or remove each other at once', async (t) => {
    const alone = await harness.tenant();
    t.match(await alone.call('DELETE', `/members/${alone.adminId}`), {
      status: 400,
      body: { code: 'LAST_ADMIN' },
    });
    t.match(await alone.call('PUT', `/members/${alone.adminId}`, { role: 'member' }), {
      status: 400,
      body: { code: 'LAST_ADMIN' },
    });
    t.equal((await alone.call('PUT', `/members/${alone.adminId}`, { role: 'admin' })).status, 200);

    const second = (await alone.call('POST', '/members', { email: unused(), role: 'admin' })).body.data;
    // Past the check of their role: both saw two admins.
    const as = (actor: string) => ({ companyId: alone.companyId, actor });
    const both = await Promise.allSettled([
      changeRole(harness.deps, as(alone.adminId), second.id, 'member'),
      removeMember(harness.deps, as(second.id), alone.adminId),
    ]);
    const refused = both.filter((outcome) => outcome.status === 'rejected');
    t.match(refused, [{ reason: { code: 'LAST_ADMIN' } }]);
    t.equal(refused.length, 1);
    const admins = await harness.db
      .selectFrom('members')
      .where('company_id', '=', alone.companyId)
      .where('role', '=', 'admin')
      .selectAll()
      .execute();
    t.equal(admins.length, 1);
  });
}

async function testApiKeys(t: Test, harness: Harness): Promise<void> {
  const { call, companyId, apiKey } = await harness.tenant();

  await t.test('creation shows the key once; lists never do', async (t) => {
    const made = await call('POST', '/api-keys', { name: 'Shop', scopes: ['events'] });
    t.equal(made.status, 201);
    const { key, id } = made.body.data;
    t.match(made.body.data, { name: 'Shop', scopes: ['events'], expiresAt: null });
    t.match(key, /^bk_/);
    t.ok(key.startsWith(made.body.data.prefix));
    const listed = await call('GET', '/api-keys');
    t.match(listed.body.data, [
      { id, name: 'Shop', lastUsedAt: null, revokedAt: null },
      { name: 'First key' },
    ]);
    t.notOk(listed.text.includes(key) || listed.text.includes(apiKey) || listed.text.includes('hash'));
    for (const shown of listed.body.data) {
      const fields = ['createdAt', 'expiresAt', 'id', 'lastUsedAt', 'name', 'prefix', 'revokedAt', 'scopes'];
      t.same(Object.keys(shown).sort(), fields);
    }
  });

  await t.test('without scopes a key gets all of them; expiresAt is a future instant', async (t) => {
    t.same((await call('POST', '/api-keys', { name: 'All' })).body.data.scopes, ['assign', 'events']);
    const expiresAt = new Date(harness.deps.nowMs() + 60_000).toISOString();
    t.equal((await call('POST', '/api-keys', { name: 'Short', expiresAt })).body.data.expiresAt, expiresAt);
    const bad = [
      {},
      { name: '' },
      { name: 'k', scopes: [] },
      { name: 'k', scopes: ['admin'] },
      { name: 'k', scopes: ['assign', 'assign'] },
      { name: 'k', scopes: 'assign' },
      { name: 'k', expiresAt: 'tomorrow' },
      { name: 'k', expiresAt: new Date(harness.deps.nowMs() - 1_000).toISOString() },
      { name: 'k', key: 'mine' },
    ];
    for (const body of bad)
      t.match(await call('POST', '/api-keys', body), { status: 400, body: { code: 'VALIDATION_ERROR' } });
  });

  await t.test('revocation moves the configuration version, once', async (t) => {
    const { id } = (await call('POST', '/api-keys', { name: 'Old' })).body.data;
    const version = async () =>
      (
        await harness.db
          .selectFrom('companies')
          .where('id', '=', companyId)
          .select('config_version')
          .executeTakeFirstOrThrow()
      ).config_version;
    const before = await version();
    const revoked = await call('DELETE', `/api-keys/${id}`);
    t.equal(revoked.status, 200);
    t.type(revoked.body.data.revokedAt, 'string');
    t.equal(await version(), before + 1);
    t.same((await call('DELETE', `/api-keys/${id}`)).body.data, revoked.body.data, 'again: the same answer');
    t.equal(await version(), before + 1);
    t.match(await call('DELETE', '/api-keys/key_unknown'), {
      status: 404,
      body: { code: 'API_KEY_NOT_FOUND' },
    });
  });
}

async function testAuditLog(t: Test, harness: Harness): Promise<void> {
  const { db } = harness;

  await t.test('every change has one row that names who, what and which, without secrets', async (t) => {
    const { call, companyId, adminId } = await harness.tenant();
    const experiment = (await call('POST', '/experiments', { name: 'E', algorithm: 'UCB1' })).body.data;
    const treatment = { name: 'T', config: { content: 'secret launch plan' } };
    const added = (await call('POST', `/experiments/${experiment.id}/treatments`, treatment)).body.data;
    await call('PUT', `/experiments/${experiment.id}`, { status: 'ACTIVE', assignmentTtl: 5 });
    await call('POST', `/experiments/${experiment.id}/treatments`, treatment);
    await call('DELETE', `/experiments/${experiment.id}/treatments/${added.id}`);
    const funnel = (await call('POST', '/funnels', { name: 'F', experimentIds: [experiment.id] })).body.data;
    await call('PUT', `/funnels/${funnel.id}`, { status: 'active' });
    await call('DELETE', `/funnels/${funnel.id}`);
    const email = `audit-${companyId.slice(4, 12).toLowerCase()}@example.com`;
    const member = (await call('POST', '/members', { email, role: 'member' })).body.data;
    await call('PUT', `/members/${member.id}`, { role: 'admin' });
    await call('DELETE', `/members/${member.id}`);
    const key = (await call('POST', '/api-keys', { name: 'K' })).body.data;
    await call('DELETE', `/api-keys/${key.id}`);
    await call('PUT', `/experiments/${experiment.id}`, { status: 'nonsense' });

    const { body, text, headers } = await call('GET', '/audit-log');
    const actions = [
      'api-key.revoke',
      'api-key.create',
      'member.remove',
      'member.change-role',
      'member.add',
      'funnel.delete',
      'funnel.update',
      'funnel.create',
      'treatment.remove',
      'treatment.add',
      'experiment.update',
      'treatment.add',
      'experiment.create',
      'company.create',
    ];
    t.same(
      body.data.map((x: { action: string }) => x.action),
      actions,
    );
    t.same(
      body.data.map((x: { seq: number }) => x.seq),
      actions.map((_, k) => actions.length - k),
    );
    t.equal(Number(headers['x-total-count']), actions.length);
    t.match(body.data[10], {
      actor: adminId,
      target: experiment.id,
      details: { status: 'active', assignmentTtl: 5 },
    });
    for (const secret of [key.key, email, 'secret launch plan']) t.notOk(text.includes(secret));

    const page = await call('GET', '/audit-log?limit=2&offset=1');
    t.same(page.body.data, body.data.slice(1, 3));
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'limit=1.5', 'offset=-1', 'page=2', 'limit=']) {
      t.equal((await call('GET', `/audit-log?${query}`)).status, 400, query);
    }
    t.match(await verifyAuditChain(db, companyId), { isIntact: true, nEntries: actions.length });
  });

  await t.test(
    'a commit whose connection was cut is settled: the change is made once and answered',
    async (t) => {
      for (const isStored of [true, false]) {
        const cut = cutFirstCommit(harness.deps.db, isStored);
        const other = await createHarness(t, harness.store, { db: cut.db });
        const { call, companyId } = await other.tenant();
        cut.arm();
        const made = await call('POST', '/api-keys', { name: 'Cut' });
        t.equal(made.status, 201);
        t.same(
          (await call('GET', '/api-keys')).body.data.map((x: { id: string }) => x.id)[0],
          made.body.data.id,
        );
        t.equal((await call('GET', '/api-keys')).body.data.length, 2);
        t.match(await verifyAuditChain(db, companyId), { isIntact: true, nEntries: 2 });

        cut.arm();
        const email = `cut-${companyId.slice(4).toLowerCase()}@example.com`;
        const headers = { authorization: `Bearer ${platformToken}` };
        const payload = { name: 'Cut', adminEmail: email };
        const company = await send(other.app, { method: 'POST', url: '/companies', payload, headers });
        t.equal(company.status, 201, 'not 409 for its own e-mail');
        t.match(await verifyAuditChain(db, company.body.data.id), { isIntact: true, nEntries: 1 });
        t.equal(cut.nCuts(), 2);
      }
    },
  );

  await t.test('simultaneous changes leave no gap in seq', async (t) => {
    const { call, companyId } = await harness.tenant();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, k) =>
        call('POST', '/experiments', { name: `E${k}`, algorithm: 'UCB1' }),
      ),
    );
    t.ok(answers.every((answer) => answer.status === 201));
    t.match(await verifyAuditChain(db, companyId), { isIntact: true, nEntries: 21 });
  });

  await t.test('a changed, a removed and a reordered row are found', async (t) => {
    const spoil = async (statement: (companyId: string) => ReturnType<typeof sql>) => {
      const { call, companyId } = await harness.tenant();
      for (const name of ['A', 'B', 'C']) await call('POST', '/experiments', { name, algorithm: 'UCB1' });
      await statement(companyId).execute(db);
      return verifyAuditChain(db, companyId);
    };
    t.match(await spoil((id) => sql`update audit_log set actor = 'x' where company_id = ${id} and seq = 2`), {
      isIntact: false,
      seq: 2,
      reason: /does not match its hash/,
    });
    t.match(
      await spoil(
        (id) => sql`update audit_log set details = '{"name":"Z"}' where company_id = ${id} and seq = 3`,
      ),
      { isIntact: false, seq: 3 },
    );
    t.match(await spoil((id) => sql`delete from audit_log where company_id = ${id} and seq = 2`), {
      isIntact: false,
      seq: 2,
      reason: /seq 2 is missing/,
    });
    t.match(
      await spoil((id) => sql`update audit_log set prev_hash = hash where company_id = ${id} and seq = 3`),
      {
        isIntact: false,
        seq: 3,
        reason: /prev_hash/,
      },
    );
  });

  await t.test('the hash does not depend on the order of keys, and depends on everything else', async (t) => {
    const facts = {
      companyId: 'c',
      seq: 1,
      id: 'i',
      actor: 'a',
      action: 'x',
      target: 't',
      details: { a: 1, b: [2] },
      atMs: 0,
    };
    const previous = new Uint8Array(32);
    const hash = (change: object) => auditHash(previous, { ...facts, ...change }).toString('hex');
    t.equal(hash({ details: { b: [2], a: 1 } }), hash({}));
    const changes = [
      { companyId: 'd' },
      { seq: 2 },
      { id: 'j' },
      { actor: 'b' },
      { action: 'y' },
      { target: 'u' },
      { details: {} },
      { atMs: 1 },
    ];
    t.equal(new Set([hash({}), ...changes.map(hash)]).size, changes.length + 1);
  });
}
