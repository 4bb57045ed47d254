import {
  ApiError,
  type ApiKeyScope,
  apiKeyScopes,
  type CreateApiKey,
  limits,
  makeId,
  type NowMs,
} from '@bandit/contracts';
import { countLiveApiKeys, type Database, insertApiKey, type Row } from '@bandit/db';
import type { Transaction } from 'kysely';
import { type Author, type ChangeDeps, changeCompany } from '../change-company.ts';

/** A key as it is made once: the secret is in `key` alone, the database keeps its hash. */
export interface MadeApiKey {
  readonly keyId: string;
  readonly key: string;
  readonly prefix: string;
  /** SHA-256 of the secret. */
  readonly secretHash: Uint8Array;
}

export interface ApiKeyDeps extends ChangeDeps {
  readonly makeApiKey: () => MadeApiKey;
  readonly nowMs: NowMs;
}

export interface CreatedKey {
  readonly row: Row<'api_keys'>;
  /** Shown to the caller once, stored nowhere. */
  readonly key: string;
}

/** @throws ApiError VALIDATION_ERROR for an `expiresAt` that has passed, LIMIT_REACHED */
export function createApiKey(deps: ApiKeyDeps, author: Author, body: CreateApiKey): Promise<CreatedKey> {
  const expiresAt = body.expiresAt === undefined ? null : futureInstant(body.expiresAt, deps.nowMs());
  return changeCompany(deps, author, async (trx) => {
    if ((await countLiveApiKeys(trx, author.companyId)) >= limits.apiKeysPerCompanyMax) throw tooMany();
    const scopes = body.scopes ?? [...apiKeyScopes];
    const created = await insertNewApiKey(trx, deps, author.companyId, {
      name: body.name,
      scopes,
      expiresAt,
    });
    const details = { name: body.name, scopes, expiresAt: expiresAt?.toISOString() ?? null };
    return { result: created, note: { action: 'api-key.create', target: created.row.id, details } };
  });
}

/** Makes a key and stores its hash; the caller's transaction audits it. */
export async function insertNewApiKey(
  trx: Transaction<Database>,
  deps: Pick<ApiKeyDeps, 'makeApiKey' | 'randomBytes'>,
  companyId: string,
  wanted: { readonly name: string; readonly scopes: readonly ApiKeyScope[]; readonly expiresAt: Date | null },
): Promise<CreatedKey> {
  const made = deps.makeApiKey();
  const row = await insertApiKey(trx, {
    company_id: companyId,
    id: makeId('apiKey', deps.randomBytes(16)),
    key_id: made.keyId,
    name: wanted.name,
    prefix: made.prefix,
    secret_hash: made.secretHash,
    scopes: [...wanted.scopes],
    expires_at: wanted.expiresAt,
  });
  return { row, key: made.key };
}

function futureInstant(text: string, nowMs: number): Date {
  const instant = new Date(text);
  if (instant.getTime() > nowMs) return instant;
  throw new ApiError(
    'VALIDATION_ERROR',
    `expiresAt must be an instant after now (${new Date(nowMs).toISOString()}), got ${text}`,
  );
}

const tooMany = () =>
  new ApiError(
    'LIMIT_REACHED',
    `this company has ${limits.apiKeysPerCompanyMax} live API keys, the most allowed; revoke one first`,
  );
