import type { App } from '../app.ts';
import type { ManagementDeps } from '../management-deps.ts';
import { registerListEvents } from './routes/list-events.ts';

export function registerEvents(app: App, deps: ManagementDeps): void {
  registerListEvents(app, deps);
}
