import type { App } from '../app.ts';
import type { ManagementDeps } from '../management-deps.ts';
import { registerGenerateVariant } from './routes/generate-variant.ts';
import { createRunningCalls } from './running-calls.ts';

/** Provider calls outlast everything else that is on its way: closing the server ends them first. */
export function registerVariants(app: App, deps: ManagementDeps): void {
  const calls = createRunningCalls();
  app.addHook('preClose', () => calls.close());
  registerGenerateVariant(app, deps, calls);
}
