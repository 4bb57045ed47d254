import { subjects } from '@bandit/contracts';
import { createTestDatabase } from '@bandit/db/testing';
import t from 'tap';
import { createHarness } from './harness.ts';

t.test('a change is answered once this process serves by it', async (t) => {
  const seen: string[] = [];
  const served = { confirm: Promise.withResolvers<void>() };
  const confirmConfiguration = () => {
    seen.push('confirming');
    return served.confirm.promise;
  };
  const bus = {
    publish: (subject: string) => void seen.push(subject),
    request: () => Promise.reject(new Error('nobody is asked')),
  };
  const harness = await createHarness(t, await createTestDatabase(t), { bus, confirmConfiguration });
  const tenant = await harness.tenant();
  const published = subjects.config(tenant.companyId);
  seen.length = 0;

  const creating = tenant.experiment().then((made) => {
    seen.push('answered');
    return made;
  });
  while (!seen.includes('confirming')) await new Promise(setImmediate);
  await new Promise(setImmediate);
  t.same(seen, [published, 'confirming']);
  served.confirm.resolve();
  const { id } = await creating;
  t.same(seen, [published, 'confirming', 'answered']);

  await tenant.call('GET', `/experiments/${id}`);
  await tenant.call('PUT', `/experiments/${id}`, { status: 'draft' });
  await tenant.call('PUT', `/experiments/${id}`, { status: 'paused' });
  t.equal(seen.length, 3, 'nothing is confirmed where nothing changed');
});
