import {
  createApiKeyGuard,
  createJwtReader,
  createNextAuthReader,
  createProxyTrust,
  createSessionGuard,
} from '@bandit/auth';
import { findMember, touchApiKeys } from '@bandit/db';
import { createKeyUsage } from '@bandit/directory';
import { type Access, createAccess } from './access.ts';
import type { LiveContext } from './services-context.ts';

/** Who may ask: API keys from the directory, sessions by the configured secrets or the generated ones. */
export async function openAccess(context: LiveContext): Promise<Access> {
  const { app, config, secrets, store, directory, nowMs, log, owns } = context;
  const usage = createKeyUsage({ write: (uses) => touchApiKeys(store.management, uses), nowMs, log });
  usage.start();
  owns('key usage', usage.close);
  const { findKey, loadKey } = directory;
  const keys = createApiKeyGuard({ findKey, loadKey, nowMs, onUsed: usage.note });
  const cookieSecrets = [...config.authSecrets, ...config.nextAuthSecrets];
  const sessions = createSessionGuard({
    findMember: async (email) => {
      const member = await findMember(store.management, email);
      return member && { companyId: member.companyId, memberId: member.memberId, role: member.role };
    },
    nextAuth: createNextAuthReader(orGenerated(cookieSecrets, secrets?.auth)),
    jwt: await createJwtReader(app as never, orGenerated(config.jwtSecrets, secrets?.jwt)),
    proxies: createProxyTrust(config.trustedProxies, config.isProduction),
    allowedOrigins: config.corsOrigins,
    nowMs,
  });
  return createAccess(keys, sessions);
}

function orGenerated(configured: readonly string[], generated: string | undefined): readonly string[] {
  return configured.length > 0 || generated === undefined ? configured : [generated];
}
