import type { App } from '../app.ts';
import type { ManagementDeps } from '../management-deps.ts';
import { registerEraseSubject } from './routes/erase-subject.ts';

export function registerSubjects(app: App, deps: ManagementDeps): void {
  registerEraseSubject(app, deps);
}
