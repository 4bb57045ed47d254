import {
  createJwtReader,
  createNextAuthReader,
  createProxyTrust,
  createSessionGuard,
  type SessionGuard,
} from '@bandit/auth';
import { findMember } from '@bandit/db';
import type { ProcessContext } from '../process-context.ts';

/** People: by the configured secrets or the generated ones, and by a trusted proxy's header. */
export async function openSessions(context: ProcessContext): Promise<SessionGuard> {
  const { app, config, generated, pools, nowMs } = context;
  const db = pools.open('management');
  const cookieSecrets = [...config.authSecrets, ...config.nextAuthSecrets];
  return createSessionGuard({
    findMember: async (email) => {
      const member = await findMember(db, email);
      return member && { companyId: member.companyId, memberId: member.memberId, role: member.role };
    },
    nextAuth: createNextAuthReader(orGenerated(cookieSecrets, generated?.auth)),
    jwt: await createJwtReader(app as never, orGenerated(config.jwtSecrets, generated?.jwt)),
    proxies: createProxyTrust(config.trustedProxies, config.isProduction),
    allowedOrigins: config.corsOrigins,
    nowMs,
  });
}

function orGenerated(configured: readonly string[], generated: string | undefined): readonly string[] {
  return configured.length > 0 || generated === undefined ? configured : [generated];
}
