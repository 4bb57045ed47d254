import { Pool } from 'undici';

type Headers = Readonly<Record<string, string>>;

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field.
  readonly body: any;
}

/** Asks the platform, over a few kept connections. */
export interface Caller {
  (method: string, path: string, headers: Headers, body?: object): Promise<Answer>;
  close(): Promise<void>;
}

const connectionsMax = 8;

export function createCaller(url: string): Caller {
  const pool = new Pool(url, { connections: connectionsMax, headersTimeout: 30_000, bodyTimeout: 30_000 });
  const ask = async (method: string, path: string, headers: Headers, body?: object): Promise<Answer> => {
    const response = await pool.request({
      method: method as 'GET',
      path,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.body.text();
    return { status: response.statusCode, body: text.startsWith('{') ? JSON.parse(text) : undefined };
  };
  return Object.assign(ask, { close: () => pool.destroy() });
}
