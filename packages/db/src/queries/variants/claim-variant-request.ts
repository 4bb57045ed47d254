import { type Kysely, sql } from 'kysely';
import type { Database } from '../../schema.ts';

/**
 * Takes the experiment's one place for an AI call in flight. A place taken more than `staleMs` ago belongs to a process
 * that died and is taken over.
 *
 * @param token names this call; `releaseVariantRequest` gives the place back
 * @returns false while another call is in flight
 */
export async function claimVariantRequest(
  trx: Kysely<Database>,
  request: { companyId: string; experimentId: string; token: string; staleMs: number },
): Promise<boolean> {
  const { companyId, experimentId, token, staleMs } = request;
  const claimed = await trx
    .insertInto('variant_requests')
    .values({ company_id: companyId, experiment_id: experimentId, token })
    .onConflict((conflict) =>
      conflict
        .columns(['company_id', 'experiment_id'])
        .doUpdateSet({ token, started_at: sql<Date>`clock_timestamp()` })
        .where(
          'variant_requests.started_at',
          '<',
          sql<Date>`clock_timestamp() - ${staleMs} * interval '1 millisecond'`,
        ),
    )
    .returning('token')
    .executeTakeFirst();
  return claimed !== undefined;
}
