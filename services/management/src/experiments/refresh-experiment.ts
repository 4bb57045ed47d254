import { ApiError, type Bus, limits, subjects } from '@bandit/contracts';
import { spanAround } from '@bandit/http';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { safeParse } from 'secure-json-parse';

const answerSchema = Type.Object({ version: Type.Integer({ minimum: 0 }) });

/**
 * Asks the learner that owns the experiment to rebuild its state from the recorded history, and waits.
 *
 * @returns the version of the rebuilt state
 * @throws ApiError STORE_UNAVAILABLE when no learner answers
 */
export async function refreshExperiment(
  bus: Pick<Bus, 'request'>,
  companyId: string,
  experimentId: string,
): Promise<number> {
  const request = Buffer.from(JSON.stringify({ companyId, experimentId }));
  const ask = () => bus.request(subjects.refresh, request, limits.refreshTimeoutMs);
  const reply = await spanAround('refresh request', ask, 'client').catch((cause: unknown) => {
    throw new ApiError('STORE_UNAVAILABLE', 'no learner answered; try again later', { cause });
  });
  const answer: unknown = safeParse(Buffer.from(reply).toString('utf8'));
  if (Value.Check(answerSchema, answer)) return answer.version;
  throw new ApiError('STORE_UNAVAILABLE', 'the learner could not rebuild the state; try again later');
}
