/** Messages between processes. Consumers parse them with secure-json-parse and check them against these schemas. */
import { type Static, Type } from '@sinclair/typebox';

/**
 * Absolute and versioned: apply only if `version` is newer than what is held. `serving` is base64 of the encoded
 * serving state up to `inlineStateBytesMax`; absent, the process fetches it by (experiment, version).
 */
export const stateMessageSchema = Type.Object({
  companyId: Type.String(),
  experimentId: Type.String(),
  version: Type.Integer({ minimum: 0 }),
  serving: Type.Optional(Type.String()),
});
export type StateMessage = Static<typeof stateMessageSchema>;

export const configMessageSchema = Type.Object({
  companyId: Type.String(),
  version: Type.Integer({ minimum: 0 }),
});
export type ConfigMessage = Static<typeof configMessageSchema>;

/** What processes and the shared cache hold of an end user's assignments in these experiments has to go. */
export const erasedMessageSchema = Type.Object({
  companyId: Type.String(),
  userId: Type.String(),
  experimentIds: Type.Array(Type.String()),
});
export type ErasedMessage = Static<typeof erasedMessageSchema>;

export const wakeMessageSchema = Type.Object({ partition: Type.Integer({ minimum: 0 }) });
export type WakeMessage = Static<typeof wakeMessageSchema>;
