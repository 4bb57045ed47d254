import type { Config } from '@bandit/config';
import type { GeneratedSecrets } from './generated-secrets.ts';

/** @throws where neither is there, which the configuration has refused before */
export function assignmentSecretOf(
  config: Pick<Config, 'assignmentSecret'>,
  generated: GeneratedSecrets | undefined,
): string {
  const secret = config.assignmentSecret ?? generated?.assignment;
  if (secret === undefined) throw new Error('ASSIGNMENT_SECRET must be set with DATABASE_URL');
  return secret;
}
