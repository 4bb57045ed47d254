import { type StateMessage, stateMessageSchema } from '@bandit/contracts';
import { Value } from '@sinclair/typebox/value';
import { safeParse } from 'secure-json-parse';

/** The message, or undefined for anything that is not one. */
export function parseStateMessage(payload: Uint8Array): StateMessage | undefined {
  const message: unknown = safeParse(Buffer.from(payload).toString('utf8'));
  return Value.Check(stateMessageSchema, message) ? message : undefined;
}
