import { type Bus, type ConfigMessage, makeId, subjects } from '@bandit/contracts';
import { appendAuditEntry, bumpConfigVersion, type Database, lockCompany, withCompany } from '@bandit/db';
import type { Kysely, Transaction } from 'kysely';

export interface ChangeDeps {
  readonly db: Kysely<Database>;
  readonly bus: Pick<Bus, 'publish'>;
  readonly randomBytes: (nBytes: number) => Uint8Array;
}

/** Who changes something: a member's id, `platform` (the operator) or `scheduler`. */
export interface Author {
  readonly companyId: string;
  readonly actor: string;
}

/** What the audit log says of a change. `details` never holds a secret, a hash of one, or an e-mail address. */
export interface AuditNote {
  readonly action: string;
  readonly target: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Changed<T> {
  readonly result: T;
  /** Left out when nothing changed: then nothing is written, bumped or published. */
  readonly note?: AuditNote | undefined;
}

/**
 * One management change: `work`, its audit row and the bump of the company's configuration version in one
 * transaction that holds the company's lock; after the commit the new version is published. A process that misses
 * the message heals by polling.
 *
 * @throws whatever `work` throws, with nothing changed
 */
export async function changeCompany<T>(
  deps: ChangeDeps,
  author: Author,
  work: (trx: Transaction<Database>) => Promise<Changed<T>>,
): Promise<T> {
  const { companyId } = author;
  const { result, version } = await withCompany(deps.db, companyId, async (trx) => {
    const atMs = await lockCompany(trx, companyId);
    if (atMs === undefined) throw new Error('the company of an authenticated author does not exist');
    const { result, note } = await work(trx);
    const version = note && (await recordChange(trx, deps, { ...note, ...author, atMs }));
    return { result, version };
  });
  if (version !== undefined) publishConfig(deps.bus, companyId, version);
  return result;
}

/** The audit row and the version bump of a change; the caller's transaction holds the company's lock. */
export async function recordChange(
  trx: Transaction<Database>,
  deps: Pick<ChangeDeps, 'randomBytes'>,
  change: AuditNote & Author & { readonly atMs: number },
): Promise<number> {
  await appendAuditEntry(trx, { ...change, id: makeId('audit', deps.randomBytes(16)) });
  return bumpConfigVersion(trx, change.companyId);
}

export function publishConfig(bus: Pick<Bus, 'publish'>, companyId: string, version: number): void {
  const message: ConfigMessage = { companyId, version };
  bus.publish(subjects.config(companyId), Buffer.from(JSON.stringify(message)));
}
