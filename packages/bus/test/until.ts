import { setTimeout as delay } from 'node:timers/promises';

/** Asks again until it is true. @throws after a minute: a busy machine is no failure */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = AbortSignal.timeout(60_000);
  while (!(await isTrue())) {
    if (deadline.aborted) throw new Error(`it never came: ${what}`);
    await delay(10);
  }
}
