/** Preloaded into a platform under test, as an operator preloads an SDK: each span that ends is a line of SPANS_FILE. */
import { appendFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { BasicTracerProvider, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

export interface SpanLine {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | undefined;
  readonly attributes: Record<string, unknown>;
}

const file = process.env.SPANS_FILE;

if (isMainThread && file !== undefined) {
  const exporter = {
    export: (spans: ReadableSpan[], done: (result: { code: number }) => void) => {
      for (const span of spans) appendFileSync(file, `${JSON.stringify(toLine(span))}\n`);
      done({ code: 0 });
    },
    shutdown: async () => undefined,
  };
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  );
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
}

function toLine(span: ReadableSpan): SpanLine {
  const { name, kind, attributes } = span;
  const { traceId, spanId } = span.spanContext();
  return { name, kind, traceId, spanId, parentId: span.parentSpanContext?.spanId, attributes };
}
