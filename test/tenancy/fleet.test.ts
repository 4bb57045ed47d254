/** Two companies on every route, through the gateway of a fleet with two processes of everything. */
import t from 'tap';
import { testOn } from '../platform/kinds.ts';
import { checkTenancy } from './check-tenancy.ts';
import { platformToken } from './tenant.ts';

// A slow machine is not a failure.
t.setTimeout(300_000);

t.test('two companies on every route', (t) =>
  testOn(t, 'fleet', checkTenancy, { env: { PLATFORM_TOKEN: platformToken } }),
);
