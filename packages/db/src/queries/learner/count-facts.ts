import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/**
 * Law 6: accepted = learned + excepted + pending, counted from the facts themselves, what retention says it dropped, and
 * the learner's rows.
 */
export interface FactCounts {
  readonly accepted: number;
  readonly learned: number;
  readonly excepted: number;
  /** Facts above their partition's cursor. */
  readonly pending: number;
  /** Rows of `fact_exceptions`, dropped ones included: equal to `excepted`. */
  readonly exceptionRows: number;
}

export async function countFacts(db: Kysely<Database>): Promise<FactCounts> {
  const { rows } = await sql<FactCounts>`
    with facts as (
      select partition, batch from assignments union all select partition, batch from events
    )
    select (select count(*) from facts) + (select coalesce(sum(n), 0) from dropped_facts where fact_kind <> 'exception')
        as accepted,
      (select coalesce(sum(n_learned), 0) from learner_partitions) as learned,
      (select coalesce(sum(n_excepted), 0) from learner_partitions) as excepted,
      (select count(*) from facts f join learner_partitions p using (partition) where f.batch > p.cursor_batch)
        as pending,
      (select count(*) from fact_exceptions)
        + (select coalesce(sum(n), 0) from dropped_facts where fact_kind = 'exception') as "exceptionRows"`.execute(
    db,
  );
  return rows[0]!;
}
