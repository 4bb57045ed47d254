/**
 * The codec of assignment ids, by the MAC keys of the database. Holds the keys that were read last; a poll swaps in what a
 * rotation added, so that no process needs a restart. A new key verifies at once and signs only when every process has
 * had the time to hear of it. A crash loses nothing; while the database is away the keys that are held stay in force.
 */
import { type AssignmentIdCodec, createAssignmentIdCodec, unwrapMacKey } from '@bandit/auth';
import { limits, type NowMs } from '@bandit/contracts';
import { loadMacKeys, type OpenedDatabase } from '@bandit/db';

export interface LiveAssignmentIds extends AssignmentIdCodec {
  /** Reads the keys. @returns false when there is none yet @throws when `secret` is not the one they were stored with */
  load(): Promise<boolean>;
  /** Follows rotations from now on. */
  follow(): void;
  close(): void;
}

export interface AssignmentIdsOptions {
  readonly db: OpenedDatabase['db'];
  readonly secret: string;
  /** Database time. */
  readonly nowMs: NowMs;
  readonly log: { warn(details: object, message: string): void };
  readonly pollMs?: number;
}

export function openAssignmentIds(options: AssignmentIdsOptions): LiveAssignmentIds {
  const { db, secret, nowMs, log, pollMs = limits.macKeyPollMs } = options;
  let codec: AssignmentIdCodec | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isFailing = false;
  const load = async (): Promise<boolean> => {
    const stored = await loadMacKeys(db);
    if (stored.length === 0) return false;
    const keys = inOrderOfUse(stored, nowMs()).map((row) => unwrapMacKey(row.id, row.wrapped, secret));
    const oldest = stored.at(-1)?.id;
    codec = createAssignmentIdCodec(
      keys,
      keys.find(({ id }) => id === oldest),
    );
    return true;
  };
  /** Says once that keys cannot be read. */
  const reload = async (): Promise<void> => {
    try {
      await load();
      isFailing = false;
    } catch (error) {
      if (!isFailing) log.warn({ err: error }, 'the MAC keys cannot be read again: those held stay in force');
      isFailing = true;
    }
  };
  const held = (): AssignmentIdCodec => {
    if (codec === undefined) throw new Error('the MAC keys were not read yet');
    return codec;
  };
  return {
    load,
    follow: () => {
      timer ??= setInterval(() => void reload(), pollMs).unref();
    },
    close: () => clearInterval(timer),
    get currentKeyId() {
      return held().currentKeyId;
    },
    sign: (fields) => held().sign(fields),
    verify: (id) => held().verify(id),
    hashSubject: (companyId, userId) => held().hashSubject(companyId, userId),
  };
}

/** The newest key that every process knows signs; the others follow, and verify. */
function inOrderOfUse<Row extends { readonly created_at: Date }>(
  newestFirst: readonly Row[],
  nowMs: number,
): Row[] {
  const isKnown = (row: Row) => row.created_at.getTime() <= nowMs - limits.macKeyKnownAfterMs;
  const oldest = newestFirst.at(-1);
  const signs = newestFirst.find(isKnown) ?? oldest;
  return newestFirst.toSorted((a, b) => Number(b === signs) - Number(a === signs));
}
