import { ApiError, type ContentType, type CreateTreatment, limits } from '@bandit/contracts';

/**
 * Content rules of an experiment's `contentType`.
 *
 * @param name where the treatment stands in the request, for the message
 * @throws ApiError VALIDATION_ERROR
 */
export function checkTreatment(contentType: ContentType, treatment: CreateTreatment, name: string): void {
  const { content, metadata } = treatment.config;
  const flaw = flawOfContent(contentType, content);
  if (flaw) throw new ApiError('VALIDATION_ERROR', `${name}.config.content ${flaw}`);
  const nBytes = Buffer.byteLength(JSON.stringify(metadata ?? {}));
  if (nBytes > limits.metadataBytesMax) {
    throw new ApiError(
      'VALIDATION_ERROR',
      `${name}.config.metadata is ${nBytes} bytes of JSON; at most ${limits.metadataBytesMax} are allowed`,
    );
  }
}

function flawOfContent(contentType: ContentType, content: string): string | undefined {
  if (contentType === 'JSON' && !isJson(content)) {
    return `must be JSON text in an experiment of contentType JSON, got ${shorten(content)}`;
  }
  if (contentType === 'IMAGE_URL' && !isHttpUrl(content)) {
    return `must be an http(s) URL in an experiment of contentType IMAGE_URL, got ${shorten(content)}`;
  }
  return undefined;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isHttpUrl(text: string): boolean {
  const isUrl = URL.canParse(text) && /^https?:\/\/[^\s]+$/i.test(text);
  return isUrl && ['http:', 'https:'].includes(new URL(text).protocol);
}

const shownCharsMax = 80;
const shorten = (text: string) =>
  JSON.stringify(text.length <= shownCharsMax ? text : `${text.slice(0, shownCharsMax)}…`);
