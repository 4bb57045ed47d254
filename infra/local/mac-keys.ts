import {
  type AssignmentIdCodec,
  createAssignmentIdCodec,
  type MacKey,
  unwrapMacKey,
  wrapMacKey,
} from '@bandit/auth';
import { insertMacKey, loadMacKeys, type OpenedDatabase } from '@bandit/db';

type RandomBytes = (nBytes: number) => Uint8Array;

/**
 * The codec of assignment ids with the database's MAC keys; a first start makes the first key.
 *
 * @throws when `secret` is not the one that the keys were stored with
 */
export async function openAssignmentIds(
  db: OpenedDatabase['db'],
  secret: string,
  randomBytes: RandomBytes,
): Promise<AssignmentIdCodec> {
  const stored = await loadMacKeys(db);
  if (stored.length > 0)
    return createAssignmentIdCodec(stored.map((row) => unwrapMacKey(row.id, row.wrapped, secret)));
  const key: MacKey = { id: Buffer.from(randomBytes(6)).toString('base64url'), key: randomBytes(32) };
  await insertMacKey(db, key.id, wrapMacKey(key, secret, randomBytes));
  return createAssignmentIdCodec([key]);
}
