import { hasNatsServer, type NatsOptions, type NatsServer, startNats } from '@bandit/test-stores';
import type { Test } from 'tap';
import { createNatsBus, type NatsBus, type NatsBusOptions } from '../../src/index.ts';
import { until } from '../until.ts';
import { collectLog } from './shared-nats.ts';

const reason = 'NATS is missing: no nats-server is installed here, and these tests kill their own';
const isRequired = process.env.CI_REQUIRE_STORES === '1';

/** For `t.test`: false where a server can be started, and where the test must fail because none can. */
export const skipWithoutServer = hasNatsServer() || isRequired ? false : reason;
if (skipWithoutServer !== false) console.warn(`NOT TESTED ON NATS: ${reason}`);

export async function startOwnNats(t: Test, options: NatsOptions = {}): Promise<NatsServer> {
  const server = await startNats(options);
  t.teardown(() => server.stop());
  return server;
}

/** A bus on the server at `url`, closed at teardown, and what it logged. */
export function openBus(t: Test, url: string, options: Partial<NatsBusOptions> = {}) {
  const { lines, errors, log } = collectLog();
  const nats = createNatsBus({ url, name: t.name, log, rng: Math.random, ...options });
  t.teardown(() => nats.close());
  return { ...nats, lines, errors, nats };
}

export async function openConnectedBus(t: Test, url: string, options: Partial<NatsBusOptions> = {}) {
  const opened = openBus(t, url, options);
  await untilConnected(opened.nats);
  return opened;
}

export async function untilConnected({ bus }: NatsBus): Promise<void> {
  await until(() => bus.isConnected(), 'a connection');
}

export async function untilAway({ bus }: NatsBus): Promise<void> {
  await until(() => !bus.isConnected(), 'the loss of the connection');
}

export const encode = (text: string) => new TextEncoder().encode(text);
export const decode = (payload: Uint8Array) => new TextDecoder().decode(payload);
export const event = (id: string) => ({ id, subject: 'events.c', payload: encode(id) });
export const numbered = (n: number, prefix: string) => Array.from({ length: n }, (_, i) => `${prefix}${i}`);

/** Publishes until it is acknowledged, as the learner does. */
export async function publishUntilStored({ bus }: NatsBus, ids: readonly string[]): Promise<void> {
  await until(
    () =>
      bus.publishEvents(ids.map(event)).then(
        () => true,
        () => false,
      ),
    'stored events',
  );
}
