import { createHmac } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

export const platformToken = 'the platform token of the capacity bench';
export const jwtSecret = 'the session secret of the capacity bench and long enough';
const adminEmail = 'admin@example.com';

export interface Tenant {
  readonly apiKey: string;
  readonly experimentId: string;
  /** Resolves when that many trials and conversions are learned. */
  untilLearned(nTrials: number, nConversions: number): Promise<void>;
}

/** A company with one active experiment, made through the API as an operator does. */
export async function createTenant(url: string): Promise<Tenant> {
  const headers = { authorization: `Bearer ${signSession(adminEmail)}` };
  const company = await call(url, 'POST', '/companies', `Bearer ${platformToken}`, {
    name: 'Capacity',
    adminEmail,
  });
  const session = headers.authorization;
  const experiment = await call(url, 'POST', '/experiments', session, {
    name: 'Capacity',
    algorithm: 'THOMPSON_SAMPLING',
    treatments: [
      { name: 'A', config: { content: 'a' } },
      { name: 'B', config: { content: 'b' } },
    ],
  });
  await call(url, 'PUT', `/experiments/${experiment.id}`, session, { status: 'ACTIVE' });
  const untilLearned = async (nTrials: number, nConversions: number): Promise<void> => {
    for (;;) {
      const { totals } = await call(url, 'GET', `/experiments/${experiment.id}/results`, session);
      if (totals.trials >= nTrials && totals.conversions >= nConversions) return;
      await delay(100);
    }
  };
  return { apiKey: company.apiKey, experimentId: experiment.id, untilLearned };
}

async function call(url: string, method: string, path: string, authorization: string, body?: object) {
  const answer = await fetch(url + path, {
    method,
    headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: a bench reads what it asked for.
  const { data, error } = (await answer.json()) as { data?: any; error?: string };
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${error}`);
  return data;
}

function signSession(email: string): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { email, exp: Math.floor(Date.now() / 1_000) + 86_400 };
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${text}.${createHmac('sha256', jwtSecret).update(text).digest('base64url')}`;
}
