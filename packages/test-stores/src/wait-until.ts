import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 20;

/** Asks again and again until the answer is true. @throws after `msMax`, with the complaint */
export async function waitUntil(
  isTrue: () => boolean | Promise<boolean>,
  msMax: number,
  complaint: string,
): Promise<void> {
  const deadline = AbortSignal.timeout(msMax);
  while (!(await isTrue())) {
    if (deadline.aborted) throw new Error(`${complaint} (waited ${msMax} ms)`);
    await delay(pollMs);
  }
}
