import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from './load-messages.ts';

const pollMs = 20;

/** Lets the load run for so long. */
export const letRun = (ms: number): Promise<void> => delay(ms);

/** @returns milliseconds until it was true. @throws when it is not within the time; a failed look is a no */
export async function untilTrue(
  isTrue: () => Promise<boolean>,
  withinMs: number,
  what: string,
): Promise<number> {
  const startedMs = nowMs();
  for (;;) {
    if (await isTrue().catch(() => false)) return nowMs() - startedMs;
    if (nowMs() - startedMs > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(pollMs);
  }
}
