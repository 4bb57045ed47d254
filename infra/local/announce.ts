import type { Config } from '@bandit/config';
import type { FirstRun } from './first-run.ts';
import type { Platform } from './start.ts';

/** What a person at the terminal needs: where it is, what was made, what to try. The key is shown this once. */
export function announcement(platform: Platform, config: Config): string {
  const lines = [...whereItIs(platform.url, config), ...whatWasMade(platform, config), ''];
  return lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n');
}

function whereItIs(url: string, config: Config): string[] {
  const database =
    config.databaseUrl === undefined
      ? `embedded database in ${config.dataDir}`
      : 'Postgres from DATABASE_URL';
  const nats = config.natsUrl === undefined ? '' : ', NATS from NATS_URL';
  const redis = config.redisUrl === undefined ? '' : ', Redis from REDIS_URL';
  return [
    '',
    `Bandit platform is ready on ${url}  (${database}${nats}${redis})`,
    `API reference: ${url}/docs   health: ${url}/readyz   metrics: ${url}/metrics`,
  ];
}

/** What the first start on an empty database made, and what to try with it. */
export function whatWasMade(
  { url, firstRun }: Pick<Platform, 'url' | 'firstRun'>,
  config: Pick<Config, 'isProduction'>,
): string[] {
  if (firstRun === undefined) return [];
  return [
    '',
    'This was the first start. It made a company, its admin and an API key; the key is shown only now:',
    `  admin    ${firstRun.adminEmail}`,
    `  API key  ${firstRun.apiKey}`,
    '',
    ...nextSteps(url, firstRun, config.isProduction),
  ];
}

function nextSteps(url: string, { apiKey, adminEmail }: FirstRun, isProduction: boolean): string[] {
  if (isProduction) {
    return [
      'The key is for SDKs. To create experiments sign in with a session of the admin (README, Credentials). Try it:',
      `  curl -s ${url}/readyz`,
    ];
  }
  return [
    'Try it (the README goes on from here):',
    `  export API_KEY=${apiKey}`,
    `  ${firstCurl(url, adminEmail)}`,
  ];
}

function firstCurl(url: string, adminEmail: string): string {
  const body =
    '{"name":"Homepage headline","algorithm":"THOMPSON_SAMPLING","treatments":[{"name":"Control","config":{"content":"Welcome"},"isControl":true},{"name":"Urgency","config":{"content":"Start your free trial today"}}]}';
  return `curl -s -X POST ${url}/experiments -H 'content-type: application/json' -H 'x-user-email: ${adminEmail}' -d '${body}'`;
}
