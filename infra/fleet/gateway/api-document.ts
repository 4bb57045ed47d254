import { ApiError, limits } from '@bandit/contracts';
import type { InstanceTable, ServiceName } from '../instance-table.ts';
import { askInstance } from './ask-instance.ts';
import { mergeDocuments } from './merge-documents.ts';

const described: readonly ServiceName[] = ['ingest', 'assignment', 'management'];

/**
 * The merged API document. Remembered for a few seconds, so that whoever asks again and again costs nothing.
 *
 * @returns a function that gives its JSON text. @throws ApiError SERVICE_UNAVAILABLE while a service does not answer
 */
export function createApiDocument(
  table: Pick<InstanceTable, 'pick'>,
  monotonicMs: () => number,
): () => Promise<string> {
  let remembered: { text: Promise<string>; madeAtMs: number } | undefined;
  return () => {
    const now = monotonicMs();
    if (remembered === undefined || now - remembered.madeAtMs > limits.gatewayDocumentAgeMs) {
      const made = { text: makeDocument(table), madeAtMs: now };
      remembered = made;
      made.text.catch(() => {
        if (remembered === made) remembered = undefined;
      });
    }
    return remembered.text;
  };
}

async function makeDocument(table: Pick<InstanceTable, 'pick'>): Promise<string> {
  const texts = await Promise.all(
    described.map(async (service) => {
      const instance = table.pick(service);
      const text =
        instance &&
        (await askInstance(
          instance,
          '/openapi.json',
          limits.handlerTimeoutMs,
          limits.gatewayDocumentBytesMax,
        ));
      if (text === undefined) {
        throw new ApiError(
          'SERVICE_UNAVAILABLE',
          `no process of the ${service} service describes itself now: try again`,
        );
      }
      return text;
    }),
  );
  return JSON.stringify(mergeDocuments(texts.map((text) => JSON.parse(text))));
}
