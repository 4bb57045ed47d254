import type { Instance } from '../instance-table.ts';

/**
 * Asks one instance for something small of its own (metrics, API document).
 *
 * @returns the text, or undefined when it does not answer 200 in time or says too much
 */
export async function askInstance(
  instance: Instance,
  path: string,
  timeoutMs: number,
  bytesMax: number,
): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await instance.pool?.request({ method: 'GET', path, signal });
    if (answer === undefined) return undefined;
    if (answer.statusCode !== 200) {
      await answer.body.dump();
      return undefined;
    }
    const chunks: Buffer[] = [];
    let nBytes = 0;
    for await (const chunk of answer.body) {
      nBytes += (chunk as Buffer).length;
      if (nBytes > bytesMax) return undefined;
      chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks).toString('utf8');
  } catch {
    return undefined;
  }
}
