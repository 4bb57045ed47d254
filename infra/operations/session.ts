/**
 * Signs a session for a person or a script: `session --email admin@example.com [--hours 1]` prints a JWT for the header
 * `Authorization: Bearer …`, by the first secret of JWT_SECRET. Who that is, and what they may, stands in the database.
 */
import { parseArgs } from 'node:util';
import { loadConfig } from '@bandit/config';
import { SignJWT } from 'jose';
import { CommandError, readEmail, runCommand } from './run-command.ts';

const hoursMax = 24;

await runCommand(process, async () => {
  const { values } = parseArgs({
    options: { email: { type: 'string' }, hours: { type: 'string', default: '1' } },
  });
  const hours = Number(values.hours);
  const email = readEmail(values.email, 'a member');
  if (!(hours > 0 && hours <= hoursMax))
    throw new CommandError(`--hours must be above 0 and at most ${hoursMax}, got ${values.hours}`, 2);
  const [secret] = loadConfig(process.env).jwtSecrets;
  if (secret === undefined)
    throw new CommandError('JWT_SECRET must be set: the one that the processes have', 2);
  const token = await new SignJWT({ email })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt()
    .setExpirationTime(`${Math.round(hours * 3_600)}s`)
    .sign(new TextEncoder().encode(secret));
  console.log(token);
});
