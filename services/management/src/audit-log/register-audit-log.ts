import type { App } from '../app.ts';
import type { ManagementDeps } from '../management-deps.ts';
import { registerListAuditLog } from './routes/list-audit-log.ts';

export function registerAuditLog(app: App, deps: ManagementDeps): void {
  registerListAuditLog(app, deps);
}
