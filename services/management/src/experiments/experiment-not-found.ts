import { ApiError } from '@bandit/contracts';

/** The same answer for an id that is unknown, malformed or another company's. */
export function experimentNotFound(): ApiError {
  return new ApiError('EXPERIMENT_NOT_FOUND', 'experiment not found: the id names none of this company');
}
