import { streams } from '@bandit/contracts';

/** Subjects and streams as the server knows them. */
export interface NatsNames {
  readonly events: { readonly stream: string; readonly subject: string };
  readonly records: { readonly stream: string; readonly subject: string };
  toServer(subject: string): string;
  fromServer(subject: string): string;
}

/**
 * @param prefix one token that keeps several platforms on one NATS apart: `<prefix>.state.x`, `<prefix>_EVENTS`; empty: none
 * @throws when the prefix is not one token of letters, digits, `_` and `-`
 */
export function nameForNats(prefix: string): NatsNames {
  if (!/^[A-Za-z0-9_-]{0,64}$/.test(prefix))
    throw new Error(`a NATS prefix has up to 64 letters, digits, _ or -, got "${prefix}"`);
  const start = prefix === '' ? '' : `${prefix}.`;
  const streamStart = prefix === '' ? '' : `${prefix}_`;
  return {
    events: { stream: `${streamStart}${streams.events}`, subject: `${start}events.*` },
    records: { stream: `${streamStart}${streams.records}`, subject: `${start}records` },
    toServer: (subject) => start + subject,
    fromServer: (subject) => subject.slice(start.length),
  };
}
