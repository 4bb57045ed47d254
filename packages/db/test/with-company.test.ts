import t from 'tap';
import { withCompany } from '../src/index.ts';
import { forEachStore } from '../src/testing.ts';

t.test('a transaction sees one company only', (t) =>
  forEachStore(t, async (t, { db }) => {
    await db
      .insertInto('companies')
      .values([
        { id: 'cmp_a', name: 'A' },
        { id: 'cmp_b', name: 'B' },
      ])
      .execute();
    const seen = await withCompany(db, 'cmp_a', (trx) => trx.selectFrom('companies').select('id').execute());
    t.strictSame(seen, [{ id: 'cmp_a' }]);
  }),
);
