/**
 * Key of a user's assignment in the shared cache. Its value is the assignment id, which proves itself: whoever reads
 * it verifies it before use.
 */
export function assignmentCacheKey(companyId: string, experimentId: string, userId: string): string {
  // Ids hold no colon; the user id may, and stands last.
  return `assignment:${companyId}:${experimentId}:${userId}`;
}
