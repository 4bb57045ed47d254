import fc from 'fast-check';
import { hostileText, writeJson } from './hostile-values.ts';
import type { KnownIds } from './known-ids.ts';
import type { Operation } from './list-operations.ts';
import { applyChange, type Change, change } from './mutate-body.ts';

/** What is drawn; ids are filled in when it is sent, from those that exist then. */
export interface Draft {
  readonly operation: number;
  readonly method: string | undefined;
  readonly credential: 'right' | 'none' | 'other' | 'garbage';
  readonly choice: number;
  readonly pathText: string | undefined;
  readonly query: readonly (readonly [number, string])[];
  readonly changes: readonly Change[];
  readonly damage: Damage;
  readonly headers: Readonly<Record<string, string>>;
}

type Damage = {
  readonly kind: 'none' | 'cut' | 'insert' | 'wrap' | 'empty';
  readonly at: number;
  readonly byte: number;
};

export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

export interface Credentials {
  readonly apiKey: string;
  /** Headers of an admin's session. */
  readonly session: Readonly<Record<string, string>>;
  readonly platformToken: string;
}

const headers = fc.constantFrom<Record<string, string>>(
  ...Array.from({ length: 60 }, () => ({})),
  { 'content-type': 'text/plain' },
  { 'content-type': 'application/json; charset=utf-16' },
  { 'content-type': 'application/json;' },
  { 'content-type': 'application/json\tx' },
  { 'content-type': 'multipart/form-data; boundary=x' },
  { 'content-encoding': 'gzip' },
  { 'x-request-id': 'x'.repeat(500) },
  { 'x-user-email': 'Nobody@Example.com' },
  { 'x-forwarded-for': '1.2.3.4' },
  { cookie: 'authjs.session-token=x; next-auth.session-token.0=y; =; a' },
  { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' },
  { origin: 'https://evil.example.net' },
  { accept: 'text/html;q=0' },
  { 'if-none-match': '*', range: 'bytes=0-1' },
);

export function makeDrafts(nOperations: number): fc.Arbitrary<Draft> {
  return fc.record({
    operation: fc.nat(nOperations - 1),
    method: rarely(fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'), 20),
    credential: fc.constantFrom(...Array<'right'>(30).fill('right'), 'none', 'other', 'garbage'),
    choice: fc.nat(10_000),
    pathText: rarely(hostileText, 5),
    query: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(fc.tuple(fc.nat(3), hostileText), { maxLength: 4 }) },
    ),
    changes: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 4, arbitrary: fc.array(change, { minLength: 1, maxLength: 3 }) },
    ),
    damage: fc.record({
      kind: fc.constantFrom(...Array<'none'>(20).fill('none'), 'cut', 'insert', 'wrap', 'empty'),
      at: fc.nat(10_000),
      byte: fc.nat(255),
    }),
    headers,
  });
}

function rarely<T>(arbitrary: fc.Arbitrary<T>, oneIn: number): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: oneIn - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

export function makeRequest(
  operation: Operation,
  draft: Draft,
  ids: KnownIds,
  credentials: Credentials,
): FuzzRequest {
  const body = makeBody(operation, draft, ids);
  return {
    method: draft.method ?? operation.method,
    path: makePath(operation, draft, ids) + makeQuery(operation, draft, ids),
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...credentialHeaders(operation, draft, credentials),
      ...draft.headers,
    },
    body,
  };
}

const prefixes: Readonly<Record<string, string>> = {
  experimentId: 'exp',
  treatmentId: 'trt',
  assignmentId: 'asgn',
  eventId: 'evt',
};

function prefixOf(path: string, name: string): string {
  const first = path.split('/')[1] ?? '';
  const byFolder: Record<string, string> = { funnels: 'fnl', members: 'mbr', 'api-keys': 'key' };
  return prefixes[name] ?? byFolder[first] ?? 'exp';
}

function makePath({ path }: Operation, draft: Draft, ids: KnownIds): string {
  return path.replaceAll(/\{(\w+)\}/g, (_match, name: string) => {
    const id = ids.pick(prefixOf(path, name), draft.choice);
    return draft.pathText === undefined ? id : encodeLoosely(draft.pathText);
  });
}

function makeQuery({ queryNames, path }: Operation, draft: Draft, ids: KnownIds): string {
  const pairs = draft.query.map(([index, text]) => `${queryNames[index] ?? 'extra'}=${encodeLoosely(text)}`);
  // Without a user, most requests for an assignment would end at the same sentence.
  if (path.startsWith('/assignments') && draft.choice % 4 > 0)
    pairs.unshift(`userId=user_${draft.choice % 50}`);
  else if (path.startsWith('/events/') && draft.choice % 3 === 0) pairs.push(`limit=${draft.choice % 1_200}`);
  void ids;
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

/** As it is where HTTP can carry it: percent signs stay, so that broken escapes reach the server. */
function encodeLoosely(text: string): string {
  return text.replaceAll(/[^\x21-\x7e]|[#?]/gu, (char) =>
    encodeURIComponent(char.isWellFormed() ? char : '\ufffd'),
  );
}

function makeBody({ bodyExample, method }: Operation, draft: Draft, ids: KnownIds): Buffer | undefined {
  if (bodyExample === undefined && (method === 'GET' || method === 'HEAD' || draft.changes.length === 0)) {
    return undefined;
  }
  let value = fillIds(bodyExample ?? {}, draft, ids);
  for (const one of draft.changes) value = applyChange(value, one);
  return damage(Buffer.from(writeJson(value)), draft.damage);
}

/** Examples name ids that do not exist: put in some that do, so that requests get past the first look-up. */
function fillIds(value: unknown, draft: Draft, ids: KnownIds, name = ''): unknown {
  if (Array.isArray(value)) {
    return value.map((item, i) =>
      name === 'experimentIds' ? ids.pick('exp', draft.choice + i) : fillIds(item, draft, ids),
    );
  }
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => [key, fillIds(child, draft, ids, key)]),
    );
  }
  if (name === 'userId') return `user_${draft.choice % 50}`;
  if (name === 'email' || name === 'adminEmail') return `user${draft.choice}@example.com`;
  const prefix = typeof value === 'string' ? prefixes[name] : undefined;
  return prefix === undefined ? value : ids.pick(prefix, draft.choice);
}

function damage(bytes: Buffer, { kind, at, byte }: Damage): Buffer {
  const place = at % (bytes.length + 1);
  if (kind === 'cut') return bytes.subarray(0, place);
  if (kind === 'insert')
    return Buffer.concat([bytes.subarray(0, place), Buffer.of(byte), bytes.subarray(place)]);
  if (kind === 'wrap') return Buffer.from('['.repeat(at) + bytes.toString() + ']'.repeat(at));
  return kind === 'empty' ? Buffer.alloc(0) : bytes;
}

const keyRoutes = /^\/(assignments|events(\/batch)?$)/;

function credentialHeaders(
  { path, method }: Operation,
  { credential, choice }: Draft,
  { apiKey, session, platformToken }: Credentials,
): Readonly<Record<string, string>> {
  if (credential === 'none') return {};
  if (credential === 'garbage') return { authorization: `Bearer ${'bk_live_'.repeat((choice % 50) + 1)}` };
  const takesKey = keyRoutes.test(path) || (path.endsWith('/reward') && choice % 2 === 0);
  if (path === '/companies' && method === 'POST') return { authorization: `Bearer ${platformToken}` };
  return takesKey === (credential === 'right') ? { 'x-api-key': apiKey } : session;
}
