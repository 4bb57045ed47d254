import { forEachStore } from '@bandit/db/testing';
import t from 'tap';
import { makeDataDir, startChild } from './child-platform.ts';
import { createClient, until } from './client.ts';
import { productionSecrets, signSession } from './production.ts';

// A slow machine is not a failure.
t.setTimeout(300_000);

t.test('DATABASE_URL is a production start on the same code', async (t) => {
  await forEachStore(t, async (t, store) => {
    if (!('connectionString' in store.target)) {
      t.pass('the embedded database is what every other platform test runs on');
      return;
    }
    const DATABASE_URL = store.target.connectionString;
    const dataDir = await makeDataDir(t);

    await t.test('it is refused without secrets, naming each', async (t) => {
      await t.rejects(startChild(t, dataDir, { DATABASE_URL }), /ASSIGNMENT_SECRET[\s\S]*AUTH_SECRET/);
    });

    const platform = await startChild(t, dataDir, { DATABASE_URL, ...productionSecrets });
    const apiKey = platform.apiKey as string;
    const session = signSession();
    const client = createClient(platform.url, apiKey, session);

    await t.test('nobody signs in by header', async (t) => {
      const byHeader = createClient(platform.url, apiKey, { 'x-user-email': 'admin@example.com' });
      t.equal((await byHeader.manage('GET', '/experiments')).status, 401);
      t.equal((await client.manage('GET', '/experiments')).status, 200);
    });

    const experimentId = await client.activate({
      name: 'On Postgres',
      algorithm: 'UCB1',
      treatments: [
        { name: 'A', config: { content: 'a' } },
        { name: 'B', config: { content: 'b' } },
      ],
    });

    // The learner waits for every older transaction of the whole cluster, other databases' included: seconds, when busy.
    await t.test('it assigns, takes a conversion and learns it', async (t) => {
      const assigned = await client.track('POST', '/assignments', { experimentId, userId: 'user_1' });
      t.equal(assigned.status, 200);
      const event = { assignmentId: assigned.body.data.assignmentId, eventType: 'CONVERSION' };
      t.equal((await client.track('POST', '/events', event)).status, 201);
      t.equal((await client.track('POST', '/events', event)).status, 409);
      const { body } = await until(
        () => client.manage('GET', `/experiments/${experimentId}/results`),
        (answer) => answer.body.data.totals.conversions === 1,
        10_000,
      );
      t.match(body.data.totals, { trials: 1, conversions: 1 });
    });

    await t.test('a second process on the same database is refused', async (t) => {
      await t.rejects(
        startChild(t, dataDir, { DATABASE_URL, ...productionSecrets }),
        /another process of the platform/,
      );
    });

    await t.test('a restart knows every user, with the same id', async (t) => {
      const before = await client.track('POST', '/assignments', { experimentId, userId: 'user_1' });
      t.equal(await platform.stop('SIGTERM'), 0);
      const again = await startChild(t, dataDir, { DATABASE_URL, ...productionSecrets });
      const after = await createClient(again.url, apiKey, session).track('POST', '/assignments', {
        experimentId,
        userId: 'user_1',
      });
      t.strictSame(after.body.data, before.body.data);
    });

    await t.test('another ASSIGNMENT_SECRET than the stored keys were wrapped with is refused', async (t) => {
      const other = {
        ...productionSecrets,
        ASSIGNMENT_SECRET: 'some other secret than before and also long enough',
      };
      await t.rejects(startChild(t, dataDir, { DATABASE_URL, ...other }), /ASSIGNMENT_SECRET/);
    });
  });
});
