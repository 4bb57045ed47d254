import { createTestDatabase } from '@bandit/db/testing';
import { startUpkeep } from '@bandit/process';
import t from 'tap';
import { until } from './client.ts';

t.test('the embedded database gets statistics by itself', async (t) => {
  const { db } = await createTestDatabase(t);
  await db
    .insertInto('companies')
    .values([
      { id: 'a', name: 'a' },
      { id: 'b', name: 'b' },
    ])
    .execute();
  const countStatistics = async () => {
    const { n } = await db
      .selectFrom('pg_stats' as never)
      .select((eb) => eb.fn.countAll<number>().as('n'))
      .where('tablename' as never, '=', 'companies' as never)
      .executeTakeFirstOrThrow();
    return n;
  };
  t.equal(await countStatistics(), 0, 'none before');
  const log = { warn: (...args: unknown[]) => t.fail(String(args)) } as never;
  const upkeep = startUpkeep({ db, isEmbedded: true, log, firstMs: 0 });
  t.ok((await until(countStatistics, (n) => n > 0, 10_000)) > 0, 'some after');
  await upkeep.close();
});

t.test('a failing run is logged, and closing waits for it', async (t) => {
  const broken = (await createTestDatabase(t)).open();
  // A pool that was never used has nothing to destroy.
  await broken.selectFrom('companies').select('id').execute();
  await broken.destroy();
  const warnings: unknown[] = [];
  const log = { warn: (details: unknown) => warnings.push(details) } as never;
  const upkeep = startUpkeep({ db: broken, isEmbedded: true, log, firstMs: 0 });
  await until(
    async () => warnings.length,
    (n) => n > 0,
    10_000,
  );
  await upkeep.close();
  t.equal(warnings.length, 1);
});
