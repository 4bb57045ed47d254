/** Rarely enough that asking does not slow down what is measured. */
const pollMs = 200;

/** Asks until the answer is true; a question that fails counts as no. @throws after `withinMs`, @returns how long it took */
export async function waitFor(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  withinMs: number,
): Promise<number> {
  const startMs = performance.now();
  let reason = '';
  const ask = async (): Promise<boolean> => {
    try {
      return await isTrue();
    } catch (error) {
      reason = `: ${(error as Error).message}`;
      return false;
    }
  };
  while (!(await ask())) {
    if (performance.now() - startMs > withinMs) throw new Error(`not in ${withinMs} ms: ${what}${reason}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return performance.now() - startMs;
}
