import type { TestDatabase } from '@bandit/db/testing';
import { sql } from 'kysely';

type Db = TestDatabase['db'];

async function listTables(db: Db): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition order by 1`.execute(db);
  return rows.map(({ name }) => name);
}

/** Every row of every table that holds one of these texts, as text or as bytes in it; of other companies' rows none. */
export async function findHits(db: Db, companyId: string, texts: readonly string[]): Promise<string[]> {
  const hits: string[] = [];
  for (const table of await listTables(db)) {
    const { rows } = await sql<{ text: string }>`select x::text as text from ${sql.table(table)} x`.execute(
      db,
    );
    const wanted = texts.flatMap((text) => [text, Buffer.from(text).toString('hex')]);
    for (const { text } of rows) {
      // States of contextual learners keep the values that contexts had: not whose.
      if (table === 'experiment_states' || table === 'experiment_bases') continue;
      const isForeign = text.includes('cmp_') && !text.includes(companyId);
      if (!isForeign && wanted.some((one) => text.includes(one))) hits.push(`${table}: ${text}`);
    }
  }
  return hits;
}

/** All rows of a company, table by table. */
export async function rowsOfCompany(db: Db, companyId: string): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const table of await listTables(db)) {
    const { rows } = await sql<{ text: string }>`select x::text as text from ${sql.table(table)} x`.execute(
      db,
    );
    found[table] = rows
      .map(({ text }) => text)
      .filter((text) => text.includes(companyId))
      .sort();
  }
  return found;
}
