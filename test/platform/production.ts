import { createHmac } from 'node:crypto';

const jwtSecret = 'a secret of the sessions in this test and long enough';

/** What a production start demands. */
export const productionSecrets = {
  ASSIGNMENT_SECRET: 'a secret of the assignment ids in this test and long enough',
  JWT_SECRET: jwtSecret,
};

const lifeSeconds = 3_600;

/** What an internal tool signs for itself: the headers of a session under `productionSecrets`. */
export function signSession(email = 'admin@example.com'): { authorization: string } {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { email, exp: Math.floor(Date.now() / 1_000) + lifeSeconds };
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  const signature = createHmac('sha256', jwtSecret).update(text).digest('base64url');
  return { authorization: `Bearer ${text}.${signature}` };
}
