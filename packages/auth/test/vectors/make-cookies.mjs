/**
 * Makes cookies.json with the real libraries. They are too heavy for every install, so this runs in a folder of its own:
 *
 *   mkdir vectors && cd vectors && npm init -y && npm i next-auth@4 @auth/core@0.41 --legacy-peer-deps
 *   node <this file> > <repository>/packages/auth/test/vectors/cookies.json
 *
 * Tokens are valid for ten years from issuedAtMs (Date.now is held still); the tests carry the same instant.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(pathToFileURL(`${process.cwd()}/`));
const v4 = require('next-auth/jwt');
const v5 = await import(pathToFileURL(require.resolve('@auth/core/jwt')).href);
const { SessionStore } = await import(new URL('lib/utils/cookie.js', pathToFileURL(require.resolve('@auth/core/jwt'))).href);

const issuedAtMs = Date.parse('2026-01-15T10:00:00.000Z');
Date.now = () => issuedAtMs;
const secret = 'a secret of the vectors with 32 characters and more';
const otherSecret = 'another secret of the vectors which is also long enough';
const maxAge = 10 * 365 * 86_400;
const token = { name: 'Ada', email: 'Ada@Example.com', sub: '42' };
const bigToken = { ...token, picture: 'x'.repeat(6_000) };

const names = {
  v4: ['next-auth.session-token', '__Secure-next-auth.session-token'],
  v5: ['authjs.session-token', '__Secure-authjs.session-token'],
};
const cookies = [];
for (const name of names.v4) {
  cookies.push({ library: 'next-auth 4', name, value: await v4.encode({ token, secret, maxAge }) });
}
for (const name of names.v5) {
  cookies.push({ library: '@auth/core', name, value: await v5.encode({ token, secret, salt: name, maxAge }) });
}
const expired = [
  { name: names.v4[0], value: await v4.encode({ token, secret, maxAge: -60 }) },
  { name: names.v5[0], value: await v5.encode({ token, secret, salt: names.v5[0], maxAge: -60 }) },
];
const rotated = [
  { name: names.v4[0], value: await v4.encode({ token, secret: otherSecret, maxAge }) },
  { name: names.v5[0], value: await v5.encode({ token, secret: otherSecret, salt: names.v5[0], maxAge }) },
];

/** Cut by the library's own store, as it does for cookies past 4 KB. */
async function chunk(name, value) {
  const store = new SessionStore({ name, options: {} }, {}, { debug() {} });
  return store.chunk(value, { expires: new Date(issuedAtMs + maxAge * 1000) }).map((c) => ({ name: c.name, value: c.value }));
}
const chunked = [
  await chunk(names.v4[0], await v4.encode({ token: bigToken, secret, maxAge })),
  await chunk(names.v5[0], await v5.encode({ token: bigToken, secret, salt: names.v5[0], maxAge })),
];

process.stdout.write(
  `${JSON.stringify({ issuedAtMs, secret, otherSecret, email: 'ada@example.com', cookies, expired, rotated, chunked }, null, 1)}\n`,
);
