import type { App } from '../app.ts';
import type { ManagementDeps } from '../management-deps.ts';
import { registerCreateFunnel } from './routes/create-funnel.ts';
import { registerDeleteFunnel } from './routes/delete-funnel.ts';
import { registerGetFunnel } from './routes/get-funnel.ts';
import { registerListFunnels } from './routes/list-funnels.ts';
import { registerRewardFunnel } from './routes/reward-funnel.ts';
import { registerUpdateFunnel } from './routes/update-funnel.ts';

export function registerFunnels(app: App, deps: ManagementDeps): void {
  registerCreateFunnel(app, deps);
  registerDeleteFunnel(app, deps);
  registerGetFunnel(app, deps);
  registerListFunnels(app, deps);
  registerRewardFunnel(app, deps);
  registerUpdateFunnel(app, deps);
}
