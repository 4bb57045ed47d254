import type { ContentType } from '@bandit/contracts';

/** Equal for contents that a visitor could not tell apart: white space, composed characters, JSON layout. */
export function contentKey(contentType: ContentType, content: string): string {
  if (contentType === 'JSON') return canonicalJson(content);
  if (contentType === 'IMAGE_URL') return content.trim();
  return content.normalize('NFC').replace(/\s+/g, ' ').trim();
}

/** Members in alphabetical order; text that is not JSON stands for itself. */
function canonicalJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text, sortMembers));
  } catch {
    return text.trim();
  }
}

function sortMembers(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
