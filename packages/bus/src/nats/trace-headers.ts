import { type Context, context, propagation, ROOT_CONTEXT, type TextMapGetter } from '@opentelemetry/api';
import type { MessageHeaders, NatsMessage } from './nats-session.ts';

/** The trace that is active now, as headers; undefined when there is none, so that the message needs no headers. */
export function readTraceHeaders(): MessageHeaders | undefined {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  for (const _ in carrier) return carrier;
  return undefined;
}

/** The sender's trace, for the handler to run in. */
export function traceOf(message: NatsMessage): Context {
  return message.hasHeaders ? propagation.extract(ROOT_CONTEXT, message, getter) : ROOT_CONTEXT;
}

const getter: TextMapGetter<NatsMessage> = {
  get: (message, key) => message.header(key),
  keys: (message) => message.headerKeys(),
};
