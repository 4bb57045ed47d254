import type { Test } from 'tap';
import type { RunningPlatform } from '../platform/kinds.ts';
import type { Caller } from './caller.ts';
import { demands, expectedVerdict, type Verdict } from './expected-answers.ts';
import { type Credential, type HeaderTrust, makeCredentials, vectors } from './make-credentials.ts';
import { makeCompany, makeState } from './make-state.ts';

interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly hasBody: boolean;
}

const codes = { 401: 'UNAUTHORIZED', 403: 'FORBIDDEN' } as const;
const credentialsMin = 36;
const operationsMin = 30;

/** Every operation in every state of the credentials. */
export async function checkCredentials(
  t: Test,
  ask: Caller,
  platform: RunningPlatform,
  trust: HeaderTrust,
): Promise<void> {
  const credentials = makeCredentials(await makeState(ask, platform), trust);
  const operations = await listOperations(ask);
  const size = `${operations.length} operations x ${credentials.length} states`;
  t.ok(credentials.length >= credentialsMin && operations.length >= operationsMin, size);
  t.comment(`${platform.kind}, x-user-email believed ${trust}: ${size}`);
  for (const operation of operations) {
    const wrong = await Promise.all(credentials.map((credential) => findWrong(ask, operation, credential)));
    t.strictSame(
      wrong.filter((sentence) => sentence !== undefined),
      [],
      `${operation.id} takes ${demands[operation.id]}`,
    );
  }
  t.strictSame(platform.findEnded(), [], 'no process ended');
}

/** Ids that name nothing and empty bodies: whoever passes the guard is told so, and nothing changes. */
async function listOperations(ask: Caller): Promise<Operation[]> {
  const { paths } = (await ask('GET', '/openapi.json', {})).body;
  const documented = Object.entries<Record<string, { operationId: string; requestBody?: object }>>(
    paths,
  ).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId, requestBody }]) => ({
      id: operationId,
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, 'unknown'),
      hasBody: requestBody !== undefined,
    })),
  );
  const head = {
    id: 'headAssignment',
    method: 'HEAD',
    path: '/assignments/unknown?userId=u',
    hasBody: false,
  };
  return [...documented, head];
}

async function findWrong(
  ask: Caller,
  operation: Operation,
  { name, headers, bearer }: Credential,
): Promise<string | undefined> {
  const demand = demands[operation.id];
  if (demand === undefined) return `nobody decided which credentials ${operation.id} takes`;
  const { status, body } = await ask(
    operation.method,
    operation.path,
    headers,
    operation.hasBody ? {} : undefined,
  );
  const expected = expectedVerdict(demand, bearer);
  const isCoded = expected === 'pass' || body === undefined || body.code === codes[expected];
  if (verdictOf(status) === expected && isCoded && status < 500) return undefined;
  return `${name}: ${status} ${body?.code}, not ${expected}`;
}

const verdictOf = (status: number): Verdict => (status === 401 || status === 403 ? status : 'pass');

/** A key opens its own company alone. */
export async function checkForeignKey(t: Test, ask: Caller, platform: RunningPlatform): Promise<void> {
  const created = await ask('POST', '/experiments', platform.sessionOf(vectors.email), {
    name: 'Mine',
    algorithm: 'EPSILON_GREEDY',
    treatments: [{ name: 'A', config: { content: 'a' } }],
  });
  const { id } = created.body.data;
  const unknownId = 'exp_AAAAAAAAAAAAAAAAAAAAAA';
  const key = { 'x-api-key': await makeCompany(ask, 'third@example.com') };
  const foreign = await ask('POST', '/assignments', key, { experimentId: id, userId: 'user_1' });
  const unknown = await ask('POST', '/assignments', key, { experimentId: unknownId, userId: 'user_1' });
  t.equal(foreign.status, 404);
  t.equal(foreign.body.error.replace(id, unknownId), unknown.body.error);
}
