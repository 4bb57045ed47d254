import type { Test } from 'tap';
import { type Kind, testOn } from '../platform/kinds.ts';
import { createCaller } from './caller.ts';
import { checkCredentials, checkForeignKey } from './check-credentials.ts';
import { credentialsEnv } from './make-state.ts';

/** In production nobody is believed to be who they say, but for those whom the operator named. */
const settings = [
  { name: 'TRUSTED_PROXIES unset', trust: 'never', env: {} },
  { name: 'TRUSTED_PROXIES=127.0.0.1/32', trust: 'always', env: { TRUSTED_PROXIES: '127.0.0.1/32' } },
] as const;

/** The whole table of credentials on real stores, once with this test's peer trusted and once without. */
export async function checkTrust(t: Test, kind: Kind): Promise<void> {
  for (const { name, trust, env } of settings) {
    await t.test(name, (t) =>
      testOn(
        t,
        kind,
        async (t, platform) => {
          const ask = createCaller(platform.url);
          t.teardown(() => ask.close());
          await checkCredentials(t, ask, platform, trust);
          await checkForeignKey(t, ask, platform);
        },
        { env: { ...credentialsEnv, ...env } },
      ),
    );
  }
}
