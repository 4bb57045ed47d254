import type { App } from '../app.ts';
import type { ManagementDeps } from '../management-deps.ts';
import { registerCreateApiKey } from './routes/create-api-key.ts';
import { registerListApiKeys } from './routes/list-api-keys.ts';
import { registerRevokeApiKey } from './routes/revoke-api-key.ts';

export function registerApiKeys(app: App, deps: ManagementDeps): void {
  registerCreateApiKey(app, deps);
  registerListApiKeys(app, deps);
  registerRevokeApiKey(app, deps);
}
