import type { Config } from '@bandit/config';
import type { Platform } from './start.ts';

/** What a person at the terminal needs: where it is, what was made, what to try. The key is shown this once. */
export function announcement(platform: Platform, config: Config): string {
  const lines = [...whereItIs(platform.url, config), ...whatWasMade(platform, config), ''];
  return lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n');
}

function whereItIs(url: string, config: Config): string[] {
  const store =
    config.databaseUrl === undefined
      ? `embedded database in ${config.dataDir}`
      : 'Postgres from DATABASE_URL';
  return [
    '',
    `Bandit platform is ready on ${url}  (${store})`,
    `API reference: ${url}/docs   health: ${url}/readyz   metrics: ${url}/metrics`,
  ];
}

function whatWasMade({ url, firstRun }: Platform, config: Config): string[] {
  if (firstRun === undefined) return [];
  return [
    '',
    'This was the first start. It made a company, its admin and an API key; the key is shown only now:',
    `  admin    ${firstRun.adminEmail}`,
    `  API key  ${firstRun.apiKey}`,
    '',
    'Try it (the README goes on from here):',
    `  export API_KEY=${firstRun.apiKey}`,
    `  ${firstCurl(url, firstRun.adminEmail, config.isProduction)}`,
  ];
}

function firstCurl(url: string, adminEmail: string, isProduction: boolean): string {
  if (isProduction) return `curl -s ${url}/assignments/exp_unknown?userId=user_1 -H "x-api-key: $API_KEY"`;
  const body =
    '{"name":"Homepage headline","algorithm":"THOMPSON_SAMPLING","treatments":[{"name":"Control","config":{"content":"Welcome"},"isControl":true},{"name":"Urgency","config":{"content":"Start your free trial today"}}]}';
  return `curl -s -X POST ${url}/experiments -H 'content-type: application/json' -H 'x-user-email: ${adminEmail}' -d '${body}'`;
}
