import type { Config } from '@bandit/config';
import { whatWasMade } from '../local/announce.ts';
import type { FirstRun } from '../local/first-run.ts';
import { describeStore } from './describe-store.ts';
import { serviceNames } from './instance-table.ts';

/** What a person at the terminal needs: where it is, what runs, what was made. The key is shown this once. */
export function announcement(url: string, firstRun: FirstRun | undefined, config: Config): string {
  const { databaseUrl, natsUrl, redisUrl, instances } = config;
  const processes = serviceNames.map((service) => `${instances[service]} ${service}`).join(', ');
  const stores = [databaseUrl, natsUrl, redisUrl].map((one) => describeStore(one ?? '')).join('   ');
  const lines = [
    '',
    `Bandit platform is ready on ${url}  (${processes})`,
    `API reference: ${url}/docs   health: ${url}/readyz   metrics: ${url}/metrics`,
    `Stores: ${stores}`,
    ...whatWasMade({ url, firstRun }, config),
    '',
  ];
  return lines.map((line) => (line === '' ? '' : `  ${line}`)).join('\n');
}
