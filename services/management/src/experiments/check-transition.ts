import { ApiError, type ExperimentStatus } from '@bandit/contracts';

/** draft -> active; active <-> paused; active | paused -> completed; any -> archived. */
const allowed: Readonly<Record<ExperimentStatus, readonly ExperimentStatus[]>> = {
  draft: ['active', 'archived'],
  active: ['paused', 'completed', 'archived'],
  paused: ['active', 'completed', 'archived'],
  completed: ['archived'],
  archived: [],
};

/** @throws ApiError INVALID_TRANSITION; the same status again passes */
export function checkTransition(from: ExperimentStatus, to: ExperimentStatus): void {
  if (from === to || allowed[from].includes(to)) return;
  const options = allowed[from].length === 0 ? 'no other status' : allowed[from].join(' or ');
  throw new ApiError(
    'INVALID_TRANSITION',
    `status cannot change from ${from} to ${to}; from ${from} it can change to ${options}`,
  );
}
