import type { App } from '../app.ts';
import type { ManagementDeps } from '../management-deps.ts';
import { registerAddMember } from './routes/add-member.ts';
import { registerListMembers } from './routes/list-members.ts';
import { registerRemoveMember } from './routes/remove-member.ts';
import { registerUpdateMember } from './routes/update-member.ts';

export function registerMembers(app: App, deps: ManagementDeps): void {
  registerAddMember(app, deps);
  registerListMembers(app, deps);
  registerRemoveMember(app, deps);
  registerUpdateMember(app, deps);
}
