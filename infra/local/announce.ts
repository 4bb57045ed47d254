import type { Config } from '@bandit/config';
import type { Platform } from './start.ts';

/** What a person at the terminal needs: where it is, what was made, what to try. The key is shown this once. */
export function announce(platform: Platform, config: Config, say: (line: string) => void): void {
  const { url, firstRun } = platform;
  const store =
    config.databaseUrl === undefined
      ? `embedded database in ${config.dataDir}`
      : 'Postgres from DATABASE_URL';
  say('');
  say(`  Bandit platform is ready on ${url}  (${store})`);
  say(`  API reference: ${url}/docs   health: ${url}/readyz   metrics: ${url}/metrics`);
  if (firstRun === undefined) {
    say('');
    return;
  }
  say('');
  say('  This was the first start. It made a company, its admin and an API key; the key is shown only now:');
  say(`    admin    ${firstRun.adminEmail}`);
  say(`    API key  ${firstRun.apiKey}`);
  say('');
  say('  Try it (the README goes on from here):');
  say(`    export API_KEY=${firstRun.apiKey}`);
  say(`    ${firstCurl(url, firstRun.adminEmail, config.isProduction)}`);
  say('');
}

function firstCurl(url: string, adminEmail: string, isProduction: boolean): string {
  if (isProduction) return `curl -s ${url}/assignments/exp_unknown?userId=user_1 -H "x-api-key: $API_KEY"`;
  const body =
    '{"name":"Homepage headline","algorithm":"THOMPSON_SAMPLING","treatments":[{"name":"Control","config":{"content":"Welcome"},"isControl":true},{"name":"Urgency","config":{"content":"Start your free trial today"}}]}';
  return `curl -s -X POST ${url}/experiments -H 'content-type: application/json' -H 'x-user-email: ${adminEmail}' -d '${body}'`;
}
