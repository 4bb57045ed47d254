import { Pool } from 'undici';

export interface Answered {
  readonly seconds: number;
  /** Milliseconds of single requests. */
  readonly p50: number;
  readonly p99: number;
}

/** Sends `bodies` to a path over as many connections, one request at a time each. @throws at any other status */
export async function postAll<Body>(
  url: string,
  path: string,
  apiKey: string,
  bodies: readonly Body[],
  settings: { connections: number; status: number; onAnswer?: (body: Body, text: string) => void },
): Promise<Answered> {
  const pool = new Pool(url, { connections: settings.connections, pipelining: 1 });
  const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' };
  const tookMs: number[] = [];
  let next = 0;
  const startedMs = performance.now();
  const send = async (): Promise<void> => {
    while (next < bodies.length) {
      const body = bodies[next++] as Body;
      const sentMs = performance.now();
      const answer = await pool.request({ path, method: 'POST', headers, body: JSON.stringify(body) });
      const text = await answer.body.text();
      tookMs.push(performance.now() - sentMs);
      if (answer.statusCode !== settings.status) throw new Error(`${path}: ${answer.statusCode} ${text}`);
      settings.onAnswer?.(body, text);
    }
  };
  await Promise.all(Array.from({ length: settings.connections }, send));
  const seconds = (performance.now() - startedMs) / 1_000;
  await pool.close();
  tookMs.sort((a, b) => a - b);
  const at = (share: number) => tookMs[Math.min(tookMs.length - 1, Math.floor(tookMs.length * share))] ?? 0;
  return { seconds, p50: at(0.5), p99: at(0.99) };
}
