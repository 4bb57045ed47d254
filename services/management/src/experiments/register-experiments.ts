import type { App } from '../app.ts';
import type { ManagementDeps } from '../management-deps.ts';
import { registerAddTreatment } from './routes/add-treatment.ts';
import { registerCreateExperiment } from './routes/create-experiment.ts';
import { registerGetExperiment } from './routes/get-experiment.ts';
import { registerListExperiments } from './routes/list-experiments.ts';
import { registerRefreshExperiment } from './routes/refresh-experiment.ts';
import { registerRemoveTreatment } from './routes/remove-treatment.ts';
import { registerUpdateExperiment } from './routes/update-experiment.ts';

export function registerExperiments(app: App, deps: ManagementDeps): void {
  registerListExperiments(app, deps);
  registerCreateExperiment(app, deps);
  registerGetExperiment(app, deps);
  registerUpdateExperiment(app, deps);
  registerRefreshExperiment(app, deps);
  registerAddTreatment(app, deps);
  registerRemoveTreatment(app, deps);
}
