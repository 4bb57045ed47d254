import { hasPostgresServer } from '@bandit/test-stores';
import type { Test } from 'tap';

/** False, after saying so aloud, where no Postgres server can be started; a failure where CI_REQUIRE_STORES=1. */
export function requirePostgresServer(t: Test): boolean {
  if (hasPostgresServer()) return true;
  const message = 'no Postgres server is installed here';
  if (process.env.CI_REQUIRE_STORES === '1') t.fail(`CI_REQUIRE_STORES=1, but ${message}`);
  else console.warn(`NOT TESTED: ${t.name}: ${message}`);
  return false;
}
