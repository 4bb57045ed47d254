/** Two companies on every route of a single process, on the embedded and on real stores. */
import t from 'tap';
import { testOn } from './platform/kinds.ts';
import { checkTenancy } from './tenancy/check-tenancy.ts';
import { platformToken } from './tenancy/tenant.ts';

// A slow machine is not a failure.
t.setTimeout(300_000);

t.test('two companies on every route', async (t) => {
  const env = { PLATFORM_TOKEN: platformToken };
  await testOn(t, 'embedded', checkTenancy, { env });
  await testOn(t, 'real', checkTenancy, { env });
});
