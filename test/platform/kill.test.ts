import t, { type Test } from 'tap';
import { makeDataDir, startChild } from './child-platform.ts';
import { type Client, createClient, until } from './client.ts';
import { testWithStores } from './kinds.ts';
import { productionSecrets, signSession } from './production.ts';
import { openRealStores } from './real-stores.ts';

const nRounds = Number(process.env.KILL_ROUNDS ?? 3);
const nClients = 8;

/** What the client was told: the journal against which the tables are judged. */
interface Journal {
  /** User to treatment, of answered assignments. */
  readonly treatments: Map<string, { treatmentId: string; assignmentId: string }>;
  /** Assignment ids whose conversion was answered with 201. */
  readonly converted: Set<string>;
  /** Conversions that were sent and never answered. */
  readonly unknown: Set<string>;
}

/** Assigns and converts until the process is gone. */
async function drive(client: Client, experimentId: string, name: string, journal: Journal): Promise<void> {
  for (let n = 0; ; n += 1) {
    const userId = `${name}-${n}`;
    try {
      const assigned = await client.track('POST', '/assignments', { experimentId, userId });
      if (assigned.status !== 200)
        throw new Error(`an assignment answered ${assigned.status}: ${JSON.stringify(assigned.body)}`);
      if (assigned.headers.has('x-recorded')) throw new Error('an assignment was answered without a record');
      const { assignmentId, treatment } = assigned.body.data;
      journal.treatments.set(userId, { treatmentId: treatment.id, assignmentId });
      journal.unknown.add(assignmentId);
      const converted = await client.track('POST', '/events', { assignmentId, eventType: 'CONVERSION' });
      if (converted.status === 201) journal.converted.add(assignmentId);
      journal.unknown.delete(assignmentId);
    } catch (error) {
      // The process is gone: fetch fails. Anything else is a finding.
      if (!(error instanceof TypeError)) throw error;
      return;
    }
  }
}

// A slow machine is not a failure.
t.setTimeout(300_000);

t.test(`kill -9 loses nothing that was answered and counts nothing twice (${nRounds} rounds)`, async (t) => {
  await testWithStores(t, 'embedded', (t) => killAndJudge(t, {}, undefined));
  // What was on its way through NATS when the process died comes again; Redis may know more than the process told.
  await testWithStores(t, 'real', async (t) =>
    killAndJudge(t, { ...(await openRealStores(t)), ...productionSecrets }, signSession()),
  );
});

/** @param session undefined: the header of the embedded default */
async function killAndJudge(
  t: Test,
  env: Readonly<Record<string, string>>,
  session: Readonly<Record<string, string>> | undefined,
): Promise<void> {
  const dataDir = await makeDataDir(t);
  const journal: Journal = { treatments: new Map(), converted: new Set(), unknown: new Set() };
  let platform = await startChild(t, dataDir, env);
  const apiKey = platform.apiKey as string;
  let client = createClient(platform.url, apiKey, session);
  const experimentId = await client.activate({
    name: 'Killed',
    algorithm: 'THOMPSON_SAMPLING',
    treatments: [
      { name: 'A', config: { content: 'a' } },
      { name: 'B', config: { content: 'b' } },
    ],
  });
  await until(
    () => client.track('POST', '/assignments', { experimentId, userId: 'probe' }),
    ({ status }) => status === 200,
    2_000,
  );

  for (let round = 0; round < nRounds; round += 1) {
    const driving = Array.from({ length: nClients }, (_, i) =>
      drive(client, experimentId, `r${round}c${i}`, journal),
    );
    const wanted = (round + 1) * 60;
    await until(
      async () => journal.converted.size,
      (size) => size >= wanted,
      30_000,
    );
    await platform.stop('SIGKILL');
    await Promise.all(driving);
    platform = await startChild(t, dataDir, env);
    t.equal(platform.apiKey, undefined, 'a later start makes no second company');
    client = createClient(platform.url, apiKey, session);
  }

  await t.test("every answered assignment is still that user's treatment, under the same id", async (t) => {
    for (const [userId, { treatmentId, assignmentId }] of journal.treatments) {
      const { body } = await client.track('POST', '/assignments', { experimentId, userId });
      if (body.data?.treatment.id !== treatmentId || body.data.assignmentId !== assignmentId) {
        t.strictSame(body.data, { treatmentId, assignmentId }, userId);
      }
    }
    t.ok(journal.treatments.size >= nRounds * 60, `${journal.treatments.size} assignments`);
  });

  await t.test(
    'every answered conversion is there once; an unanswered one is there once or not at all',
    async (t) => {
      for (const assignmentId of journal.converted) {
        const { status } = await client.track('POST', '/events', { assignmentId, eventType: 'CONVERSION' });
        if (status !== 409) t.equal(status, 409, assignmentId);
      }
      for (const assignmentId of journal.unknown) {
        const { status } = await client.track('POST', '/events', { assignmentId, eventType: 'CONVERSION' });
        t.ok([201, 409].includes(status), `an unknown outcome is ${status}`);
      }
      // By now every assignment that the journal knows to have been tried has converted.
      const nConverted = journal.converted.size + journal.unknown.size;
      const { body } = await until(
        () => client.manage('GET', `/experiments/${experimentId}/results`),
        (answer) => answer.body.data.totals.conversions >= nConverted,
        5_000,
      );
      t.equal(body.data.totals.conversions, nConverted);
      t.ok(body.data.totals.trials >= journal.treatments.size);
    },
  );

  await t.test('a rebuild from history changes nothing', async (t) => {
    const before = await client.manage('GET', `/experiments/${experimentId}/results`);
    t.equal((await client.manage('POST', `/experiments/${experimentId}/refresh`)).status, 200);
    const after = await client.manage('GET', `/experiments/${experimentId}/results`);
    t.strictSame(after.body.data.treatments, before.body.data.treatments);
  });

  await t.test('SIGTERM ends it with code 0', async (t) => {
    t.equal(await platform.stop('SIGTERM'), 0);
    t.notMatch(platform.messages(), apiKey, 'the key is not in the log');
  });
}
