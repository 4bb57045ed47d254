import { type Bus, type ConfigMessage, makeId, subjects } from '@bandit/contracts';
import {
  appendAuditEntry,
  bumpConfigVersion,
  type Database,
  hasAuditEntry,
  lockCompany,
  withCompany,
} from '@bandit/db';
import type { Kysely, Transaction } from 'kysely';
import { retryUnknown } from './retry-unknown.ts';

export interface ChangeDeps {
  readonly db: Kysely<Database>;
  readonly bus: Pick<Bus, 'publish'>;
  readonly randomBytes: (nBytes: number) => Uint8Array;
  /** Brings what this process serves by up to date; never rejects, and is bounded in time. */
  readonly confirmConfiguration?: (() => Promise<void>) | undefined;
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

interface Committed<T> {
  readonly result: T;
  /** The new configuration version; undefined when nothing changed. */
  readonly version: number | undefined;
}

/**
 * One management change: `work`, its audit row and the bump of the company's configuration version in one
 * transaction that holds the company's lock; after the commit the new version is published. A process that misses
 * the message heals by polling. Whoever is answered finds the change in force where SDKs are served by this same
 * process; elsewhere it comes with the message.
 *
 * A commit whose outcome is unknown is settled by its audit row: there, the change was made and is answered as it was;
 * not there, it is made again.
 *
 * @throws whatever `work` throws, with nothing changed
 */
export async function changeCompany<T>(
  deps: ChangeDeps,
  author: Author,
  work: (trx: Transaction<Database>) => Promise<Changed<T>>,
): Promise<T> {
  const { companyId } = author;
  const auditId = makeId('audit', deps.randomBytes(16));
  let attempted: Committed<T> | undefined;
  const { result, version } = await retryUnknown(() =>
    withCompany(deps.db, companyId, async (trx) => {
      const atMs = await lockCompany(trx, companyId);
      if (atMs === undefined) throw new Error('the company of an authenticated author does not exist');
      if (attempted !== undefined && (await hasAuditEntry(trx, companyId, auditId))) return attempted;
      const { result, note } = await work(trx);
      const version = note && (await recordChange(trx, { ...note, ...author, id: auditId, atMs }));
      attempted = { result, version };
      return attempted;
    }),
  );
  if (version !== undefined) {
    publishConfig(deps.bus, companyId, version);
    await deps.confirmConfiguration?.();
  }
  return result;
}

/** The audit row and the version bump of a change; the caller's transaction holds the company's lock. */
export async function recordChange(
  trx: Transaction<Database>,
  change: AuditNote & Author & { readonly id: string; readonly atMs: number },
): Promise<number> {
  await appendAuditEntry(trx, change);
  return bumpConfigVersion(trx, change.companyId);
}

export function publishConfig(bus: Pick<Bus, 'publish'>, companyId: string, version: number): void {
  const message: ConfigMessage = { companyId, version };
  bus.publish(subjects.config(companyId), Buffer.from(JSON.stringify(message)));
}
