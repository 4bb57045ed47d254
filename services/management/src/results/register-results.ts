import type { App } from '../app.ts';
import type { ManagementDeps } from '../management-deps.ts';
import { registerGetResults } from './routes/get-results.ts';

export function registerResults(app: App, deps: ManagementDeps): void {
  registerGetResults(app, deps);
}
