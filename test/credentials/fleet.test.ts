/** Every route in every state of the credentials, through the gateway of a fleet with two processes of everything. */
import t from 'tap';
import { checkTrust } from './check-trust.ts';

// A slow machine is not a failure.
t.setTimeout(500_000);

t.test('every route in every state of the credentials', (t) => checkTrust(t, 'fleet'));
