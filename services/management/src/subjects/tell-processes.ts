import { type Bus, type ErasedMessage, limits, subjects } from '@bandit/contracts';

/** Tells every assignment process to forget the user, and to take what is known out of the shared cache. */
export function tellProcesses(
  bus: Pick<Bus, 'publish'>,
  companyId: string,
  userId: string,
  experimentIds: readonly string[],
): void {
  for (let from = 0; from < experimentIds.length; from += limits.erasedExperimentsPerMessageMax) {
    const page = experimentIds.slice(from, from + limits.erasedExperimentsPerMessageMax);
    const message: ErasedMessage = { companyId, userId, experimentIds: page };
    bus.publish(subjects.erased(companyId), Buffer.from(JSON.stringify(message)));
  }
}
