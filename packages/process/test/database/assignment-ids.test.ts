import { randomBytes } from 'node:crypto';
import { wrapMacKey } from '@bandit/auth';
import { limits } from '@bandit/contracts';
import { insertMacKey, loadMacKeys } from '@bandit/db';
import { forEachStore } from '@bandit/db/testing';
import t from 'tap';
import { openAssignmentIds } from '../../src/database/assignment-ids.ts';
import { prepareDatabase } from '../../src/database/prepare-database.ts';

// A slow machine is not a failure.
t.setTimeout(180_000);

const secret = 'the secret of the assignment ids in this test';
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

const fields = {
  companyId: 'cmp_a',
  experimentId: 'exp_a',
  treatmentId: 'trt_a',
  userId: 'user',
  nonce: Buffer.alloc(16, 7),
  assignedAtMs: 1_700_000_000_000,
  expiresAtMs: 1_700_000_086_400,
  propensity: 0.5,
  confidence: 0.5,
  stateVersion: 1,
};

t.test('MAC keys are shared, followed and rotated', async (t) => {
  await forEachStore(t, async (t, { db, target }) => {
    const startMs = Date.now();
    let passedMs = 0;
    const open = (withSecret = secret) =>
      openAssignmentIds({ db, secret: withSecret, nowMs: () => startMs + passedMs, log, pollMs: 1e9 });

    await t.test('without any key there is nothing to sign by', async (t) => {
      const ids = open();
      t.equal(await ids.load(), false);
      t.throws(() => ids.currentKeyId, /not read yet/);
    });

    await t.test('processes that make the first key at the same time agree on one', async (t) => {
      const prepare = () => prepareDatabase({ target, secret, randomBytes, log });
      await Promise.all([prepare(), prepare(), prepare()]);
      t.strictSame(
        (await loadMacKeys(db)).map(({ id }) => id),
        ['k1'],
      );
    });

    await t.test('another secret than the keys were stored with is refused', async (t) => {
      await t.rejects(open('some other secret that wraps nothing here').load(), /ASSIGNMENT_SECRET/);
    });

    await t.test('a new key verifies at once, and signs when every process must have read it', async (t) => {
      const [early, late] = [open(), open()];
      await Promise.all([early.load(), late.load()]);
      const key = { id: 'k2', key: randomBytes(32) };
      await insertMacKey(db, key.id, wrapMacKey(key, secret, randomBytes));
      await late.load();
      t.equal(late.currentKeyId, 'k1', 'too early to sign by it');
      passedMs = limits.macKeyKnownAfterMs + 60_000;
      await late.load();
      t.equal(late.currentKeyId, 'k2');
      const id = late.sign({ ...fields, macKeyId: 'k2' });
      t.equal(early.verify(id), undefined, 'a process that never polled would not know it');
      await early.load();
      t.match(early.verify(id), { userId: 'user', macKeyId: 'k2' });
      t.match(
        early.verify(late.sign({ ...fields, macKeyId: 'k1' })),
        { macKeyId: 'k1' },
        'old ids still verify',
      );
    });
  });
});
