import type { App } from '../app.ts';
import type { ManagementDeps } from '../management-deps.ts';
import { registerCreateCompany } from './routes/create-company.ts';

export function registerCompanies(app: App, deps: ManagementDeps): void {
  registerCreateCompany(app, deps);
}
