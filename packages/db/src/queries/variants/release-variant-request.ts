import type { Kysely } from 'kysely';
import type { Database } from '../../schema.ts';

/** @returns false when the place was not this call's any more */
export async function releaseVariantRequest(
  trx: Kysely<Database>,
  request: { companyId: string; experimentId: string; token: string },
): Promise<boolean> {
  const result = await trx
    .deleteFrom('variant_requests')
    .where('company_id', '=', request.companyId)
    .where('experiment_id', '=', request.experimentId)
    .where('token', '=', request.token)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}
