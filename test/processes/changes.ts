import type { Client } from '../platform/client.ts';
import { timeUntil } from './measure.ts';
import { abExperiment, type RunningPlatform, readTreatments } from './start-platform.ts';
import type { ServiceProcess } from './start-processes.ts';

/** Milliseconds from the answer of a change until each process lives by it. */
export type Times = Record<string, number[]>;

/** One change of each kind, one after another; `round` names what it makes and picks the management process. */
export async function makeChanges(platform: RunningPlatform, round: string, turn: number): Promise<Times> {
  const { assignments, managements } = platform;
  const manager = platform.clientOf(managements[turn % managements.length] as ServiceProcess);
  const clients = assignments.map((one) => platform.clientOf(one));
  const experimentId = await manager.activate(abExperiment(`Changed ${round}`));
  const askAll = (isThere: (status: number, treatmentId: string | undefined) => boolean) =>
    Promise.all(clients.map((client, n) => timeUntil(() => ask(client, experimentId, `user-${n}`, isThere))));

  const made = await askAll((status) => status === 200);
  const { A } = await readTreatments(manager, experimentId);
  const users = await Promise.all(clients.map((client) => findUserOf(client, experimentId, A as string)));
  await manager.manage('DELETE', `/experiments/${experimentId}/treatments/${A}`);
  const removed = await Promise.all(
    clients.map((client, n) =>
      timeUntil(() => ask(client, experimentId, users[n] as string, (_status, id) => id !== A)),
    ),
  );
  await manager.manage('PUT', `/experiments/${experimentId}`, { status: 'PAUSED' });
  const paused = await askAll((status) => status === 400);
  return { 'a new experiment': made, 'a removed treatment': removed, 'a pause': paused };
}

/** A new key, then its revocation. */
export async function changeKey(platform: RunningPlatform, round: string, turn: number): Promise<Times> {
  const { assignments, ingests, managements } = platform;
  const manager = platform.clientOf(managements[turn % managements.length] as ServiceProcess);
  const { body } = await manager.manage('POST', '/api-keys', { name: `Key ${round}` });
  const { id, key } = body.data;
  const all = [...assignments, ...ingests, ...managements];
  const untilAll = (wanted: (status: number) => boolean) =>
    Promise.all(all.map((one) => timeUntil(async () => wanted(await useKey(platform, one, key)))));
  const taken = await untilAll((status) => status === 404);
  await manager.manage('DELETE', `/api-keys/${id}`);
  return { 'a new key': taken, 'a revoked key': await untilAll((status) => status === 401) };
}

export function joinTimes(all: readonly Times[]): Times {
  const joined: Times = {};
  for (const times of all)
    for (const [what, found] of Object.entries(times)) joined[what] = [...(joined[what] ?? []), ...found];
  return joined;
}

async function ask(
  client: Client,
  experimentId: string,
  userId: string,
  isThere: (status: number, treatmentId: string | undefined) => boolean,
): Promise<boolean> {
  const { status, body } = await client.track('POST', '/assignments', { experimentId, userId });
  return isThere(status, body.data?.treatment.id);
}

/** A user whom this process remembers with that treatment. */
async function findUserOf(client: Client, experimentId: string, treatmentId: string): Promise<string> {
  for (let n = 0; n < 100; n += 1) {
    const userId = `of-${treatmentId}-${Math.random()}`;
    if (await ask(client, experimentId, userId, (_status, id) => id === treatmentId)) return userId;
  }
  throw new Error('nobody of 100 users got the treatment');
}

/** 404 for what does not exist when the key is taken, 401 when it is not. */
async function useKey(platform: RunningPlatform, at: ServiceProcess, key: string): Promise<number> {
  const client = platform.clientOf(at, key);
  if (at.kind === 'assignment')
    return (await client.track('POST', '/assignments', { experimentId: 'exp_none', userId: 'a' })).status;
  if (at.kind === 'ingest')
    return (await client.track('POST', '/events', { assignmentId: 'asgn_none', eventType: 'CLICK' })).status;
  return (await client.track('POST', '/funnels/fnl_none/reward', { userId: 'a', value: 1 })).status;
}
