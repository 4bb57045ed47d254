import { type ErasureReceipt, limits } from '@bandit/contracts';

interface Erasure {
  readonly erasedAt: Date;
  /** When the last of the user's assignments would have been over; undefined without one. */
  readonly expiresAt: Date | undefined;
  readonly nSealed: number;
  readonly hasSharedStores: boolean;
}

/** What an erasure does not reach. */
export function whatRemains({
  erasedAt,
  expiresAt,
  nSealed,
  hasSharedStores,
}: Erasure): ErasureReceipt['remains'] {
  const streamEnd = new Date(erasedAt.getTime() + limits.eventsStreamAgeMs).toISOString();
  const remains: ErasureReceipt['remains'] = [];
  if (hasSharedStores)
    remains.push({ where: 'EVENTS stream', what: 'events that were published before', until: streamEnd });
  if (hasSharedStores && expiresAt !== undefined && expiresAt > erasedAt)
    remains.push({
      where: 'shared cache',
      what: 'assignments that could not be removed because the cache or the bus was away; they are not answered',
      until: expiresAt.toISOString(),
    });
  if (nSealed > 0)
    remains.push({
      where: 'learned models',
      what: 'sums over all users, and values that contexts had, without whose',
      until: null,
    });
  remains.push({ where: 'backups', what: 'whatever was there when they were made', until: null });
  return remains;
}
