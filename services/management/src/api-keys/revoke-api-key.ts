import { ApiError } from '@bandit/contracts';
import { type ShownApiKey, revokeApiKey as writeRevocation } from '@bandit/db';
import { type Author, type ChangeDeps, changeCompany } from '../change-company.ts';

/**
 * Every process refuses the key once it has the new configuration version. Revoking again changes nothing.
 *
 * @throws ApiError API_KEY_NOT_FOUND
 */
export function revokeApiKey(deps: ChangeDeps, author: Author, id: string): Promise<ShownApiKey> {
  return changeCompany(deps, author, async (trx) => {
    const revoked = await writeRevocation(trx, author.companyId, id);
    if (!revoked) {
      throw new ApiError('API_KEY_NOT_FOUND', 'API key not found: the id names none of this company');
    }
    const note = { action: 'api-key.revoke', target: id, details: { name: revoked.apiKey.name } };
    return { result: revoked.apiKey, note: revoked.isRevokedNow ? note : undefined };
  });
}
