/**
 * Erases an end user from every store, while counts and rebuilds stay as they are (docs/adr/0007-erasure.md).
 *
 * In this order: the tombstone, so that nothing of before comes in any more; the wait for whoever may not have seen it;
 * the rows. Every step is a short transaction that may be repeated: an erasure that was interrupted goes on when it is
 * asked for again.
 */
import { type Bus, type ErasureReceipt, makeId } from '@bandit/contracts';
import {
  appendAuditEntry,
  hasAuditEntry,
  listUserExperiments,
  lockCompany,
  type OpenedDatabase,
  readTransactionNumber,
  type Tombstone,
  withEraser,
  writeTombstone,
} from '@bandit/db';
import type { Author } from '../change-company.ts';
import { retryUnknown } from '../retry-unknown.ts';
import { sealExperiments } from './seal-experiments.ts';
import { createSweep } from './sweep-rows.ts';
import { tellProcesses } from './tell-processes.ts';
import { waitForWriters } from './wait-until.ts';
import { whatRemains } from './what-remains.ts';

export interface EraseDeps {
  readonly db: OpenedDatabase['db'];
  readonly bus: Pick<Bus, 'publish'>;
  readonly randomBytes: (nBytes: number) => Uint8Array;
  /** Keyed hash of an end user (auth's codec). */
  readonly hashSubject: (companyId: string, userId: string) => Uint8Array;
  /** True where events also go to a stream, and assignments to a cache that processes share. */
  readonly hasSharedStores?: boolean | undefined;
}

/**
 * A user who is unknown, or was erased before, is answered alike, with zeros.
 *
 * @throws ApiError STORE_UNAVAILABLE while what is known of the user waits to be written or learned: ask again, it goes on
 */
export async function eraseSubject(deps: EraseDeps, author: Author, userId: string): Promise<ErasureReceipt> {
  const { db, bus, hashSubject } = deps;
  const { companyId } = author;
  const subject = hashSubject(companyId, userId);
  const until = await bury(deps, author, subject);

  const pseudonym = `erased_${Buffer.from(deps.randomBytes(16)).toString('hex')}`;
  const user = { companyId, userId, pseudonym, until };
  const sweep = createSweep(db, user, hashSubject(companyId, pseudonym));
  const known = await withEraser(db, companyId, (trx) => listUserExperiments(trx, companyId, userId, until));
  const nSealed = await sealExperiments(deps, user);
  // First, so that whoever is told to forget an assignment does not find it again.
  await sweep.table('currentAssignments');
  tellProcesses(bus, companyId, userId, known.experimentIds);
  await sweep.all();
  // Once more, for what retention copied from rows that were not swept yet, and processes found before the first.
  const { xid } = await withEraser(db, companyId, readTransactionNumber);
  await waitForWriters(db, companyId, xid);
  await sweep.all();
  tellProcesses(bus, companyId, userId, known.experimentIds);

  return {
    subject: toHex(subject),
    erasedAt: until.toISOString(),
    erased: sweep.counts,
    remains: whatRemains({
      ...known,
      nSealed,
      erasedAt: until,
      hasSharedStores: deps.hasSharedStores === true,
    }),
  };
}

/**
 * Writes the tombstone and its audit row, and waits until every transaction that writes has seen it.
 *
 * @returns the moment of the erasure: facts on assignments of until then go
 */
async function bury(deps: EraseDeps, author: Author, subject: Uint8Array): Promise<Date> {
  const { db, randomBytes } = deps;
  const { companyId } = author;
  const id = makeId('audit', randomBytes(16));
  const write = (isFirst: boolean): Promise<Tombstone> =>
    retryUnknown(() =>
      withEraser(db, companyId, async (trx) => {
        const atMs = await lockCompany(trx, companyId);
        if (atMs === undefined) throw new Error('the company of an authenticated author does not exist');
        const tombstone = await writeTombstone(trx, companyId, subject);
        if (isFirst && !(await hasAuditEntry(trx, companyId, id))) {
          const note = { action: 'subject.erase', target: toHex(subject), details: {} };
          await appendAuditEntry(trx, { ...note, ...author, id, atMs });
        }
        return tombstone;
      }),
    );
  await waitForWriters(db, companyId, (await write(true)).xid);
  // A client-made assignment carries the time of its own transaction, which may be later than the tombstone's. None can
  // be made any more: the moment moves behind the last of them.
  const { erasedAt, xid } = await write(false);
  await waitForWriters(db, companyId, xid);
  return erasedAt;
}

const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
