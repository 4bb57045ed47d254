import type { OwnStores } from '../processes/start-stores.ts';

/** Value of a sample of `GET /metrics`; undefined where the process has no such sample or does not answer. */
export async function readMetric(url: string, name: string, label = ''): Promise<number | undefined> {
  const text = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(2_000) })
    .then((response) => response.text())
    .catch(() => '');
  const line = text
    .split('\n')
    .find((one) => one.startsWith(name) && one.includes(label) && !one.startsWith('#'));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
}

export interface Streams {
  /** Messages that EVENTS holds. */
  readonly nEvents: number;
  /** Records that nobody has brought in and acknowledged. */
  readonly nRecords: number;
}

/** As the NATS server itself says. @throws when it does not answer */
export async function readStreams({ nats }: Pick<OwnStores, 'nats'>): Promise<Streams> {
  const response = await fetch(`http://127.0.0.1:${nats.monitorPort}/jsz?streams=true&consumers=true`, {
    signal: AbortSignal.timeout(2_000),
  });
  // biome-ignore lint/suspicious/noExplicitAny: the server's own document.
  const { account_details } = (await response.json()) as any;
  // biome-ignore lint/suspicious/noExplicitAny: the server's own document.
  const streams: any[] = (account_details ?? []).flatMap((account: any) => account.stream_detail ?? []);
  const named = (name: string) => streams.find((stream) => stream.name === name);
  const consumers = named('RECORDS')?.consumer_detail ?? [];
  const nRecords = consumers.reduce(
    // biome-ignore lint/suspicious/noExplicitAny: the server's own document.
    (sum: number, { num_pending, num_ack_pending }: any) => sum + num_pending + num_ack_pending,
    0,
  );
  return { nEvents: named('EVENTS')?.state.messages ?? 0, nRecords };
}

export interface Facts {
  /** Nonces in hexadecimal, as often as they are there. */
  readonly nonces: readonly string[];
  /** `id` of the event and the nonce that it is about. */
  readonly events: ReadonlyArray<{ readonly id: string; readonly nonce: string }>;
}

export async function readFacts({ db }: Pick<OwnStores, 'db'>, experimentId: string): Promise<Facts> {
  const assignments = await db
    .selectFrom('assignments')
    .select('nonce')
    .where('experiment_id', '=', experimentId)
    .execute();
  const events = await db
    .selectFrom('events')
    .select(['id', 'assignment_nonce'])
    .where('experiment_id', '=', experimentId)
    .execute();
  return {
    nonces: assignments.map(({ nonce }) => hex(nonce)),
    events: events.map(({ id, assignment_nonce }) => ({
      id,
      nonce: hex(assignment_nonce ?? new Uint8Array()),
    })),
  };
}

/** Of all experiments: what EVENTS must hold in the end. */
export async function countEvents({ db }: Pick<OwnStores, 'db'>): Promise<number> {
  const { n } = await db
    .selectFrom('events')
    .select(({ fn }) => fn.countAll<string>().as('n'))
    .executeTakeFirstOrThrow();
  return Number(n);
}

const hex = (nonce: Uint8Array) => Buffer.from(nonce).toString('hex');
