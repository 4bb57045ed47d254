/** Every route in every state of the credentials, on a single process on Postgres, NATS and Redis. */
import t from 'tap';
import { checkTrust } from './check-trust.ts';

// A slow machine is not a failure.
t.setTimeout(300_000);

t.test('every route in every state of the credentials', (t) => checkTrust(t, 'real'));
