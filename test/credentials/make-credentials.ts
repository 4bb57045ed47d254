import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Bearer } from './expected-answers.ts';

interface Cookie {
  readonly name: string;
  readonly value: string;
}

/** Cookies made by the real next-auth 4 and @auth/core 5. */
export const vectors = JSON.parse(
  readFileSync(new URL('../../packages/auth/test/vectors/cookies.json', import.meta.url), 'utf8'),
) as {
  readonly secret: string;
  readonly email: string;
  readonly cookies: readonly Cookie[];
  readonly expired: readonly Cookie[];
  readonly rotated: readonly Cookie[];
  readonly chunked: readonly (readonly Cookie[])[];
};

export interface Credential {
  readonly name: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bearer: Bearer;
}

/**
 * Whom the platform believes when this test's peer names a user in `x-user-email`: `direct` on the embedded default (what
 * came from this machine without a proxy between), `always` where TRUSTED_PROXIES has the peer, `never` where it is unset.
 */
export type HeaderTrust = 'direct' | 'always' | 'never';

export interface Made {
  readonly key: string;
  readonly assignKey: string;
  readonly eventsKey: string;
  readonly revokedKey: string;
  readonly expiredKey: string;
  readonly otherCompanysKey: string;
  readonly memberEmail: string;
  readonly platformToken: string;
  readonly jwtSecret: string;
}

const nobody: Bearer = { kind: 'nobody' };
const admin: Bearer = { kind: 'admin' };
const member: Bearer = { kind: 'member' };
const both = ['assign', 'events'];

/** Every state that credentials can be in. */
export function makeCredentials(made: Made, trust: HeaderTrust): Credential[] {
  return [...keyStates(made), ...sessionStates(made), ...namedStates(made, trust)];
}

function keyStates(made: Made): Credential[] {
  const { key, otherCompanysKey } = made;
  const good: Bearer = { kind: 'key', scopes: both };
  const badChecksum = key.slice(0, -1) + (key.endsWith('a') ? 'b' : 'a');
  return [
    { name: 'none', headers: {}, bearer: nobody },
    { name: 'empty key', headers: { 'x-api-key': '' }, bearer: nobody },
    { name: 'empty bearer', headers: { authorization: 'Bearer ' }, bearer: nobody },
    { name: 'garbage key', headers: { 'x-api-key': 'garbage' }, bearer: nobody },
    { name: 'garbage bearer', headers: { authorization: 'Bearer garbage' }, bearer: nobody },
    { name: 'another scheme', headers: { authorization: `Basic ${key}` }, bearer: nobody },
    { name: 'bad checksum', headers: { 'x-api-key': badChecksum }, bearer: nobody },
    { name: 'revoked', headers: { 'x-api-key': made.revokedKey }, bearer: nobody },
    { name: 'expired', headers: { 'x-api-key': made.expiredKey }, bearer: nobody },
    { name: "another company's", headers: { 'x-api-key': otherCompanysKey }, bearer: good },
    {
      name: 'assign only',
      headers: { 'x-api-key': made.assignKey },
      bearer: { kind: 'key', scopes: ['assign'] },
    },
    {
      name: 'events only',
      headers: { 'x-api-key': made.eventsKey },
      bearer: { kind: 'key', scopes: ['events'] },
    },
    { name: 'x-api-key', headers: { 'x-api-key': key }, bearer: good },
    { name: 'bearer', headers: { authorization: `Bearer ${key}` }, bearer: good },
    { name: 'both same', headers: { 'x-api-key': key, authorization: `Bearer ${key}` }, bearer: good },
    {
      name: 'both different',
      headers: { 'x-api-key': key, authorization: `Bearer ${otherCompanysKey}` },
      bearer: nobody,
    },
    {
      name: 'the platform token',
      headers: { authorization: `Bearer ${made.platformToken}` },
      bearer: { kind: 'platform' },
    },
  ];
}

function sessionStates(made: Made): Credential[] {
  const { cookies, expired, rotated, chunked } = vectors;
  const withCookies = (name: string, given: readonly Cookie[], bearer: Bearer): Credential => ({
    name,
    headers: { cookie: given.map((cookie) => `${cookie.name}=${cookie.value}`).join('; ') },
    bearer,
  });
  const jwt = signJwt({ email: vectors.email, exp: 4_000_000_000, role: 'member' }, made.jwtSecret);
  const jwtOfMember = signJwt({ email: made.memberEmail, exp: 4_000_000_000, role: 'admin' }, made.jwtSecret);
  return [
    ...cookies.map((cookie) => withCookies(cookie.name, [cookie], admin)),
    ...chunked.map((chunks) => withCookies(`${chunks[0]?.name} in chunks`, chunks, admin)),
    ...chunked.map((chunks) => withCookies(`${chunks[0]?.name} with a gap`, chunks.slice(1), nobody)),
    ...expired.map((cookie) => withCookies(`${cookie.name} expired`, [cookie], nobody)),
    ...cookies.map((cookie) => withCookies(`${cookie.name} tampered`, [tamper(cookie)], nobody)),
    ...rotated.map((cookie) => withCookies(`${cookie.name} of another secret`, [cookie], nobody)),
    { name: 'signed JWT', headers: { authorization: `Bearer ${jwt}` }, bearer: admin },
    { name: 'JWT of another secret', headers: { authorization: `Bearer ${jwt}x` }, bearer: nobody },
    { name: 'signed JWT of a member', headers: { authorization: `Bearer ${jwtOfMember}` }, bearer: member },
  ];
}

/** Whoever the peer says is its user. */
function namedStates(made: Made, trust: HeaderTrust): Credential[] {
  const emailOf = (email: string) => ({ 'x-user-email': email });
  const ifTrusted = (bearer: Bearer): Bearer => (trust === 'never' ? nobody : bearer);
  return [
    {
      name: 'x-user-email through one more proxy',
      headers: { ...emailOf(vectors.email), 'x-forwarded-for': '127.0.0.1' },
      bearer: trust === 'always' ? admin : nobody,
    },
    { name: 'x-user-email of nobody', headers: emailOf('nobody@example.com'), bearer: nobody },
    { name: 'x-user-email of an admin', headers: emailOf(vectors.email), bearer: ifTrusted(admin) },
    { name: 'x-user-email of a member', headers: emailOf(made.memberEmail), bearer: ifTrusted(member) },
  ];
}

function tamper(cookie: Cookie): Cookie {
  const middle = cookie.value.length >> 1;
  const other = cookie.value[middle] === 'A' ? 'B' : 'A';
  return { ...cookie, value: cookie.value.slice(0, middle) + other + cookie.value.slice(middle + 1) };
}

function signJwt(claims: object, secret: string): string {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}
