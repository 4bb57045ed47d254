import { type Bus, subjects, type WakeMessage } from '@bandit/contracts';
import { type ErasedUser, listSealable, type OpenedDatabase, sealExperiment, withEraser } from '@bandit/db';
import { waitUntil } from './wait-until.ts';

export interface SealDeps {
  readonly db: OpenedDatabase['db'];
  readonly bus: Pick<Bus, 'publish'>;
}

/**
 * Keeps what was learned from the user's facts as the base of later rebuilds, so that their contexts can go. What is
 * not learned yet is waited for.
 *
 * @returns how many experiments
 */
export async function sealExperiments(
  { db, bus }: SealDeps,
  { companyId, userId, until }: ErasedUser,
): Promise<number> {
  const seals = await withEraser(db, companyId, (trx) => listSealable(trx, companyId, userId, until));
  for (const { experimentId, partition } of seals) {
    const seal = async () => {
      const isSealed = await withEraser(db, companyId, (trx) =>
        sealExperiment(trx, companyId, userId, until, experimentId),
      ).catch(unlessLocked);
      const message: WakeMessage = { partition };
      if (!isSealed) bus.publish(subjects.wake(partition), Buffer.from(JSON.stringify(message)));
      return isSealed;
    };
    await waitUntil(seal, 'events of the user that are not learned yet');
  }
  return seals.length;
}

/** The learner held its partition for long: another look. */
function unlessLocked(error: unknown): false {
  if ((error as { code?: unknown } | undefined)?.code === '55P03') return false;
  throw error;
}
