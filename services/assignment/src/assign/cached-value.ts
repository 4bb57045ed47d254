import type { KnownAssignment, Standing } from './known-assignment.ts';

/** What the shared cache holds of a user: the assignment id, and behind it how sure it is, unless it is settled. */
export function toCachedValue({ assignmentId, standing }: KnownAssignment): string {
  return standing === 'settled' ? assignmentId : `${assignmentId} ${standing}`;
}

/** Nothing is checked here but the standing: whatever it is not known by counts as unrecorded. */
export function parseCachedValue(value: string): { assignmentId: string; standing: Standing } {
  const space = value.indexOf(' ');
  if (space < 0) return { assignmentId: value, standing: 'settled' };
  const standing = value.slice(space + 1) === 'kept' ? 'kept' : 'unrecorded';
  return { assignmentId: value.slice(0, space), standing };
}
