import type { Test } from 'tap';
import type { RunningPlatform } from '../platform/kinds.ts';
import { type Call, type Ids, listCalls } from './list-calls.ts';
import { makeTenant, type Raw, type Tenant } from './tenant.ts';

const pad = (prefix: string): string => `${prefix}_${'x'.repeat(22)}`;

/** As many characters as the victim's, so that not even a length differs. */
function unknownIds(theirs: Ids): Ids {
  return {
    experiment: pad('exp'),
    treatment: pad('trt'),
    assignment: `asgn_${'x'.repeat(theirs.assignment.length - 'asgn_'.length)}`,
    user: 'x'.repeat(theirs.user.length),
    funnel: pad('fnl'),
    apiKey: pad('key'),
    member: pad('mbr'),
  };
}

/** Two companies on every route: what is the other's answers byte for byte as what is nobody's, and nothing moves. */
export async function checkTenancy(t: Test, platform: RunningPlatform): Promise<void> {
  const victim = await makeTenant(platform, 'victim');
  const stranger = await makeTenant(platform, 'stranger');
  const unknown = unknownIds(victim.ids);
  const before = await lookAt(victim);
  const foreignCalls = listCalls(victim.ids, stranger.ids);
  const unknownCalls = listCalls(unknown, stranger.ids);
  for (const [i, call] of foreignCalls.entries()) {
    const other = unknownCalls[i] as Call;
    const foreign = await stranger.ask(call);
    const expected = await stranger.ask(other);
    const name = `${call.as} ${other.method} ${other.path}`;
    t.strictSame(comparable(foreign, victim.ids), comparable(expected, unknown), name);
    t.ok(
      foreign.status === 207 || (foreign.status >= 400 && foreign.status < 500),
      `${name}: ${foreign.status}`,
    );
    if (foreign.status === 207) t.match(foreign.text, '"success_count":0', `${name}: nothing was taken`);
  }
  t.comment(`${platform.kind}: ${foreignCalls.length} calls, each with foreign and with unknown ids`);
  await t.test('lists show the own company only', (t) => checkLists(t, stranger, victim));
  t.strictSame(await lookAt(victim), before, "the other company's things are as they were");
  await t.test('malformed and deleted ids are refused as well', (t) => checkOthers(t, stranger));
  t.strictSame(platform.findEnded(), []);
}

/** All but the timestamp, the request's id and the ids that the caller itself sent. */
function comparable({ status, headers, text }: Raw, sent: Ids) {
  const { 'x-request-id': _, date: __, ratelimit: ___, ...rest } = headers;
  const said = Object.values(sent).reduce((left, id) => left.replaceAll(id, '<id>'), text);
  return { status, headers: rest, text: said.replace(/"timestamp":"[^"]*"/, '') };
}

/** What the company sees of itself, but for what grows by itself. */
async function lookAt({ ids, ask }: Tenant): Promise<unknown[]> {
  const paths = [
    `/experiments/${ids.experiment}`,
    `/events/${ids.experiment}?limit=1000`,
    `/funnels/${ids.funnel}`,
    '/members',
    '/audit-log',
  ];
  const seen = [];
  for (const path of paths) {
    const { status, text } = await ask({ as: 'session', method: 'GET', path });
    seen.push({ path, status, data: JSON.parse(text).data });
  }
  return seen;
}

async function checkLists(t: Test, stranger: Tenant, victim: Tenant): Promise<void> {
  for (const path of ['/experiments', '/funnels', '/api-keys', '/members', '/audit-log']) {
    const { status, text } = await stranger.ask({ as: 'session', method: 'GET', path });
    t.equal(status, 200);
    for (const id of [...Object.values(victim.ids), victim.email])
      t.notOk(text.includes(id), `${path} holds ${id}`);
  }
}

const malformed: Ids = {
  experiment: '..%2F..',
  treatment: '%00',
  assignment: '{}',
  user: '%F0%9F%98%80',
  funnel: '0',
  apiKey: 'null',
  member: '%20',
};

async function checkOthers(t: Test, { ids, ask }: Tenant): Promise<void> {
  for (const call of listCalls(malformed, ids)) {
    const { status } = await ask(call);
    // A user is whoever the client says; what names nothing that exists must be an id of ours.
    t.ok(
      status === 207 || (status >= 400 && status < 500),
      `malformed: ${call.method} ${call.path}: ${status}`,
    );
  }
  // A revoked key stays on the list, and revoking it again is no mistake.
  for (const [path, again] of [
    [`/funnels/${ids.funnel}`, 404],
    [`/api-keys/${ids.apiKey}`, 200],
    [`/members/${ids.member}`, 404],
  ] as const) {
    const deletion: Call = { as: 'session', method: 'DELETE', path };
    t.equal((await ask(deletion)).status, 200, `${path} is deleted`);
    t.equal((await ask(deletion)).status, again, `${path} is deleted already`);
  }
  for (const method of ['GET', 'PUT'] as const) {
    const body = method === 'PUT' ? { body: { name: 'again' } } : {};
    t.equal((await ask({ as: 'session', method, path: `/funnels/${ids.funnel}`, ...body })).status, 404);
  }
}
