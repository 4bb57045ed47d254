import type { App } from '../app.ts';
import type { ManagementDeps } from '../management-deps.ts';
import { createResultsThread } from './results-thread.ts';
import { registerGetResults } from './routes/get-results.ts';

/** The app owns the thread: none before the first request, none after close. */
export function registerResults(app: App, deps: ManagementDeps): void {
  const thread = createResultsThread();
  app.addHook('onClose', () => thread.close());
  registerGetResults(app, deps, thread);
}
