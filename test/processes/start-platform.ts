import type { AssignmentFields } from '@bandit/contracts';
import { openAssignmentIds } from '@bandit/process';
import type { Test } from 'tap';
import { type Client, createClient } from '../platform/client.ts';
import { productionSecrets, signSession } from '../platform/production.ts';
import { type ProcessKind, type ServiceProcess, startProcess, waitUntilReady } from './start-processes.ts';
import type { OwnStores } from './start-stores.ts';

/** Processes of every kind on the same stores, and a way to speak to each. */
export interface RunningPlatform {
  readonly stores: OwnStores;
  readonly assignments: readonly ServiceProcess[];
  readonly ingests: readonly ServiceProcess[];
  readonly learners: readonly ServiceProcess[];
  readonly managements: readonly ServiceProcess[];
  /** As the admin and with an API key, the first one when none is given. */
  clientOf(started: ServiceProcess, apiKey?: string): Client;
  /** One more process, ready. */
  add(kind: ProcessKind): Promise<ServiceProcess>;
  /** What an id says. @throws when it does not verify */
  readId(assignmentId: string): AssignmentFields;
}

export async function startPlatform(
  t: Test,
  stores: OwnStores,
  counts: Readonly<Record<ProcessKind, number>>,
): Promise<RunningPlatform> {
  const start = (kind: ProcessKind) =>
    Promise.all(Array.from({ length: counts[kind] }, () => startProcess(t, kind, stores.env)));
  const [assignments, ingests, learners, managements] = await Promise.all([
    start('assignment'),
    start('ingest'),
    start('learner'),
    start('management'),
  ]);
  await Promise.all([...assignments, ...ingests, ...learners, ...managements].map(waitUntilReady));
  const ids = openAssignmentIds({
    db: stores.db,
    secret: productionSecrets.ASSIGNMENT_SECRET,
    nowMs: Date.now,
    log: { warn: () => undefined },
  });
  await ids.load();
  return {
    ...{ stores, assignments, ingests, learners, managements },
    clientOf: ({ url }, apiKey = stores.apiKey) => createClient(url, apiKey, signSession()),
    add: async (kind) => {
      const started = await startProcess(t, kind, stores.env);
      await waitUntilReady(started);
      return started;
    },
    readId: (assignmentId) => {
      const fields = ids.verify(assignmentId);
      if (fields === undefined) throw new Error(`${assignmentId} is not an assignment id of this platform`);
      return fields;
    },
  };
}

export const abExperiment = (name: string, settings: Record<string, unknown> = {}) => ({
  name,
  algorithm: 'THOMPSON_SAMPLING',
  ...settings,
  treatments: [
    { name: 'A', config: { content: 'a' } },
    { name: 'B', config: { content: 'b' } },
  ],
});

/** @returns ids of the treatments by name */
export async function readTreatments(client: Client, experimentId: string): Promise<Record<string, string>> {
  const { body } = await client.manage('GET', `/experiments/${experimentId}`);
  const pairs = body.data.treatments.map(({ id, name }: { id: string; name: string }) => [name, id]);
  return Object.fromEntries(pairs);
}
