import { ApiError, limits, type TrackEvent } from '@bandit/contracts';

/**
 * Bounds that a schema cannot state. Without metadata an item cannot pass them: every other field is bounded.
 *
 * @throws ApiError VALIDATION_ERROR
 */
export function checkEventSize(event: TrackEvent): void {
  checkText('userId', event.userId);
  checkText('eventId', event.eventId);
  if (event.metadata === undefined) return;
  const text = JSON.stringify(event.metadata);
  const metadataBytes = Buffer.byteLength(text);
  if (metadataBytes > limits.metadataBytesMax)
    throw tooLarge('metadata', limits.metadataBytesMax, metadataBytes);
  const itemBytes = Buffer.byteLength(JSON.stringify(event));
  if (itemBytes > limits.eventItemBytesMax) throw tooLarge('an event', limits.eventItemBytesMax, itemBytes);
  // A lone surrogate or a NUL shows as an escape; the words may also stand behind an escaped backslash.
  if (/\\u(0000|d[89a-f])/.test(text)) checkValue('metadata', event.metadata);
}

function tooLarge(name: string, bytesMax: number, bytes: number): ApiError {
  return new ApiError('VALIDATION_ERROR', `${name} must be at most ${bytesMax} bytes of JSON, got ${bytes}`);
}

/** Its depth is bounded: the parser of bodies refuses more than `limits.jsonDepthMax`. */
function checkValue(name: string, value: unknown): void {
  if (typeof value === 'string') checkText(name, value);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    checkText(name, key);
    checkValue(name, inner);
  }
}

/** The database refuses both in jsonb, and NUL in any text. */
function checkText(name: string, text: string | undefined): void {
  if (text === undefined || (text.isWellFormed() && !text.includes('\0'))) return;
  throw new ApiError(
    'VALIDATION_ERROR',
    `${name} must be well-formed Unicode without the character U+0000, got ${JSON.stringify(text.slice(0, 64))}`,
  );
}
