import { ApiError, apiKeyScopes, type Company, type CreateCompany, makeId } from '@bandit/contracts';
import { type Database, insertCompany, insertMember, lockCompany, withCompany } from '@bandit/db';
import type { Transaction } from 'kysely';
import { type ApiKeyDeps, insertNewApiKey } from '../api-keys/create-api-key.ts';
import { publishConfig, recordChange } from '../change-company.ts';
import { presentMember } from '../members/present-member.ts';
import { retryUnknown } from '../retry-unknown.ts';

/**
 * Creates a tenant: the company, its first admin and its first API key, all of it or nothing.
 *
 * @returns the one answer that ever holds the key
 * @throws ApiError EMAIL_TAKEN
 */
export async function createCompany(deps: ApiKeyDeps, body: CreateCompany): Promise<Company> {
  const id = makeId('company', deps.randomBytes(16));
  let attempted: CommittedCompany | undefined;
  const { company, version } = await retryUnknown(() =>
    withCompany(deps.db, id, async (trx) => {
      const isNew = await insertCompany(trx, { id, name: body.name });
      // The id is this request's own: who else has it is an earlier run whose commit was not confirmed.
      if (!isNew && attempted !== undefined) return attempted;
      attempted = await furnishCompany(trx, deps, id, body);
      return attempted;
    }),
  );
  publishConfig(deps.bus, id, version);
  return company;
}

interface CommittedCompany {
  readonly company: Company;
  readonly version: number;
}

async function furnishCompany(
  trx: Transaction<Database>,
  deps: ApiKeyDeps,
  id: string,
  body: CreateCompany,
): Promise<CommittedCompany> {
  const admin = await insertMember(trx, {
    company_id: id,
    id: makeId('member', deps.randomBytes(16)),
    email: body.adminEmail.toLowerCase(),
    role: 'admin',
  });
  if (!admin) throw emailTaken();
  const wanted = { name: 'First key', scopes: apiKeyScopes, expiresAt: null };
  const { row, key } = await insertNewApiKey(trx, deps, id, wanted);
  const atMs = (await lockCompany(trx, id)) as number;
  const details = { name: body.name, adminId: admin.id, apiKeyId: row.id };
  const author = { companyId: id, actor: 'platform' };
  const note = { action: 'company.create', target: id, details };
  const auditId = makeId('audit', deps.randomBytes(16));
  const version = await recordChange(trx, { ...note, ...author, id: auditId, atMs });
  return { company: { id, name: body.name, admin: presentMember(admin), apiKey: key }, version };
}

/** Does not say whose it is: e-mails are unique over all companies. */
export function emailTaken(): ApiError {
  return new ApiError('EMAIL_TAKEN', 'the e-mail address is in use already; each can belong to one member');
}
