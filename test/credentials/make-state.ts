import type { RunningPlatform } from '../platform/kinds.ts';
import { productionSecrets } from '../platform/production.ts';
import type { Caller } from './caller.ts';
import { type Made, vectors } from './make-credentials.ts';

const platformToken = 'a platform token of the credentials test';

/** What a platform is started with so that every credential of this test means something to it. */
export const credentialsEnv = {
  PLATFORM_TOKEN: platformToken,
  NEXTAUTH_SECRET: vectors.secret,
  JWT_SECRET: productionSecrets.JWT_SECRET,
  BOOTSTRAP_ADMIN_EMAIL: vectors.email,
};

const memberEmail = 'member@example.com';

/** Keys in every state, a member and another company. */
export async function makeState(ask: Caller, platform: RunningPlatform): Promise<Made> {
  const asAdmin = platform.sessionOf(vectors.email);
  const makeKey = async (body: object) =>
    (await ask('POST', '/api-keys', asAdmin, { name: 'a key', ...body })).body.data;
  const revoked = await makeKey({});
  await ask('DELETE', `/api-keys/${revoked.id}`, asAdmin);
  const expired = await makeKey({ expiresAt: new Date(Date.now() + 1_000).toISOString() });
  await ask('POST', '/members', asAdmin, { email: memberEmail, role: 'member' });
  return {
    key: platform.apiKey,
    assignKey: (await makeKey({ scopes: ['assign'] })).key,
    eventsKey: (await makeKey({ scopes: ['events'] })).key,
    revokedKey: await untilRefused(ask, revoked.key),
    expiredKey: await untilRefused(ask, expired.key),
    otherCompanysKey: await makeCompany(ask, 'other@example.com'),
    memberEmail,
    platformToken,
    jwtSecret: productionSecrets.JWT_SECRET,
  };
}

/** @returns an API key of a new company */
export async function makeCompany(ask: Caller, adminEmail: string): Promise<string> {
  const made = await ask(
    'POST',
    '/companies',
    { authorization: `Bearer ${platformToken}` },
    { name: 'Another company', adminEmail },
  );
  return made.body.data.apiKey;
}

/** Each is answered by the processes of another service. */
const keyRoutes = ['/assignments', '/events', '/funnels/unknown/reward'];
/** As many in a row as make sure that every process of a fleet was asked. */
const nEveryProcess = 12;
const refusedWithinMs = 30_000;

/** Asks until the key is refused everywhere: revocation and expiry take a moment, and a bounded one. */
async function untilRefused(ask: Caller, key: string): Promise<string> {
  const endsAt = performance.now() + refusedWithinMs;
  for (const path of keyRoutes) {
    for (let nInRow = 0; nInRow < nEveryProcess; ) {
      if (performance.now() > endsAt) throw new Error(`${path} still takes the key`);
      const { status } = await ask('POST', path, { 'x-api-key': key }, {});
      nInRow = status === 401 ? nInRow + 1 : 0;
    }
  }
  return key;
}
