import { setTimeout as wait } from 'node:timers/promises';
import { limits } from '@bandit/contracts';
import { Client } from 'undici';
import type { Instance, InstanceState } from '../instance-table.ts';

/**
 * Asks a listening process again and again whether it can do its job, over a connection of its own (those of the
 * requests may be full), and writes the answer into the table. Ends with `signal`.
 */
export async function followReadiness(
  instance: Instance,
  socketPath: string,
  signal: AbortSignal,
  onChange: (state: InstanceState) => void,
): Promise<void> {
  const client = new Client('http://localhost', { socketPath, pipelining: 1 });
  let nMissed = 0;
  while (!signal.aborted) {
    const isReady = await askReady(client, signal);
    if (signal.aborted) break;
    nMissed = isReady === undefined ? nMissed + 1 : 0;
    const state = judge(instance.state, isReady, nMissed);
    if (state !== instance.state) {
      instance.state = state;
      onChange(state);
    }
    const pauseMs = state === 'ready' ? limits.instancePollMs : limits.instancePollStartingMs;
    await wait(pauseMs, undefined, { signal }).catch(() => undefined);
  }
  await client.destroy().catch(() => undefined);
}

/** @returns undefined when it does not answer */
async function askReady(client: Client, signal: AbortSignal): Promise<boolean | undefined> {
  try {
    const late = AbortSignal.timeout(limits.instancePollTimeoutMs);
    const answer = await client.request({
      method: 'GET',
      path: '/readyz',
      signal: AbortSignal.any([signal, late]),
    });
    await answer.body.dump();
    return answer.statusCode === 200;
  } catch {
    return undefined;
  }
}

/** One answer that does not come may be a busy machine; it says nothing about a process that never was ready. */
function judge(state: InstanceState, isReady: boolean | undefined, nMissed: number): InstanceState {
  if (state === 'draining' || state === 'stopped') return state;
  if (isReady === true) return 'ready';
  if (state === 'starting') return 'starting';
  if (isReady === false) return 'busy';
  return nMissed >= limits.instancePollsMissedMax ? 'late' : state;
}
