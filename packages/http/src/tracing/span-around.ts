import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';

const kinds = { internal: SpanKind.INTERNAL, client: SpanKind.CLIENT, server: SpanKind.SERVER };
const tracer = trace.getTracer('@bandit/http');

/**
 * Runs what waits for something inside a span of its own. Only within a trace: without an SDK, or outside any span, the
 * work runs as it is.
 *
 * @param name of the wait, never with a value in it
 * @param kind `client` asks another process, `server` answers one
 */
export async function spanAround<T>(
  name: string,
  work: () => Promise<T>,
  kind: keyof typeof kinds = 'internal',
): Promise<T> {
  if (trace.getActiveSpan() === undefined) return work();
  return tracer.startActiveSpan(name, { kind: kinds[kind] }, async (span) => {
    try {
      return await work();
    } catch (error) {
      // The class and nothing of the message: it may hold a value.
      span.setAttribute('error.type', error instanceof Error ? error.name : 'unknown');
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}
