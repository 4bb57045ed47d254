import type { ResultMethod, WinnerStatement } from '@bandit/contracts';
import type { WinnerCheck } from '@bandit/core';

/**
 * A winner check in words.
 *
 * @param live the treatments that were compared, in the order of the check
 */
export function stateWinner(
  live: readonly { readonly id: string; readonly name: string }[],
  check: WinnerCheck,
  method: ResultMethod,
): WinnerStatement {
  const leader = check.leader === undefined ? undefined : live[check.leader];
  return {
    isDeclared: check.isDeclared,
    leaderId: leader?.id ?? null,
    logEvidence: Number.isFinite(check.logE) ? check.logE : null,
    logThreshold: check.threshold,
    statement: describe(leader?.name, check, live.length),
    method,
  };
}

function describe(leader: string | undefined, check: WinnerCheck, nLive: number): string {
  if (nLive < 2) return 'A winner takes at least two live treatments.';
  if (leader === undefined) return 'No treatment leads yet.';
  const name = JSON.stringify(leader);
  if (check.isDeclared) {
    return `${name} is the winner: at most 5 % of experiments ever name a wrong one, over all looks together.`;
  }
  return `${name} leads, but the evidence is not enough to call it the winner.`;
}

/** Where no winner can be declared whatever the data say. */
export function noWinner(statement: string, method: ResultMethod): WinnerStatement {
  return { isDeclared: false, leaderId: null, logEvidence: null, logThreshold: null, statement, method };
}
