import { column, nArmsOf, nColumns, type SumsState } from '../context-free/sums-state.ts';
import type { ArmSums } from '../policy.ts';

/** Undiscounted sums by arm index. */
export function armSumsOf({ rows, ...state }: SumsState): ArmSums[] {
  return Array.from({ length: nArmsOf({ rows, ...state }) }, (_, arm) => {
    const at = arm * nColumns;
    return { n: rows[at + column.n]!, s: rows[at + column.s]!, s2: rows[at + column.s2]! };
  });
}
