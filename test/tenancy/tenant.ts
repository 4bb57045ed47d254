import { fetch } from 'undici';
import { createClient, until } from '../platform/client.ts';
import type { RunningPlatform } from '../platform/kinds.ts';
import type { Call, Ids } from './list-calls.ts';

export const platformToken = 'a platform token of the tenancy test';

export interface Raw {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** A company with one of everything. */
export interface Tenant {
  readonly ids: Ids;
  readonly email: string;
  ask(call: Call): Promise<Raw>;
}

const changeWithinMs = 30_000;

/** @param name in small letters: also the host of its people's addresses */
export async function makeTenant(platform: RunningPlatform, name: string): Promise<Tenant> {
  const email = `admin@${name}.example`;
  const operator = createClient(platform.url, '', { authorization: `Bearer ${platformToken}` });
  const company = await operator.manage('POST', '/companies', { name, adminEmail: email });
  if (company.status !== 201) throw new Error(`the company answered ${company.status}`);
  const session = platform.sessionOf(email);
  const { apiKey } = company.body.data;
  const client = createClient(platform.url, apiKey, session);
  const made = async (path: string, body: object) => (await client.manage('POST', path, body)).body.data;
  const experiment = await client.activate({
    name: `Of ${name}`,
    algorithm: 'THOMPSON_SAMPLING',
    treatments: ['A', 'B'].map((treatment) => ({ name: treatment, config: { content: treatment } })),
  });
  const user = `user-of-${name}`;
  const assigned = await until(
    () => client.track('POST', '/assignments', { experimentId: experiment, userId: user }),
    ({ status }) => status === 200,
    changeWithinMs,
  );
  const { treatment, assignmentId } = assigned.body.data;
  const ids = {
    experiment,
    treatment: treatment.id,
    assignment: assignmentId,
    user,
    funnel: (await made('/funnels', { name: 'F', experimentIds: [experiment] })).id,
    apiKey: (await made('/api-keys', { name: 'K' })).id,
    member: (await made('/members', { email: `member@${name}.example`, role: 'member' })).id,
  };
  return { ids, email, ask: (call) => send(platform.url, call, session, { 'x-api-key': apiKey }) };
}

type Headers = Readonly<Record<string, string>>;

async function send(
  url: string,
  { as, method, path, body }: Call,
  session: Headers,
  key: Headers,
): Promise<Raw> {
  const response = await fetch(url + path, {
    method,
    headers: {
      ...(as === 'key' ? key : session),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    text: await response.text(),
  };
}
