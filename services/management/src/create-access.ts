import { type ApiKeyGuard, carriesApiKey, getPrincipal, type SessionGuard } from '@bandit/auth';
import type { Access } from './access.ts';

/** The routes' credentials, by auth's guards. */
export function createAccess(guards: {
  readonly sessions: SessionGuard;
  readonly keys: Pick<ApiKeyGuard, 'check'>;
}): Access {
  const { sessions, keys } = guards;
  return {
    session: async (request) => sessions.session(request),
    admin: async (request) => sessions.admin(request),
    sessionOrEventsKey: async (request) =>
      carriesApiKey(request.headers) ? keys.check(request, 'events') : sessions.session(request),
    callerOf: (request) => {
      const principal = getPrincipal(request);
      const actor = principal.kind === 'session' ? principal.memberId : principal.apiKeyId;
      return { companyId: principal.companyId, actor };
    },
  };
}
