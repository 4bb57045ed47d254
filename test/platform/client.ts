/** The API as a test speaks it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field.
  readonly body: any;
}

export interface Client {
  /** As the admin of the first company. */
  manage(method: string, path: string, body?: unknown): Promise<Answer>;
  /** With the API key. */
  track(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Creates and activates an experiment. @returns its id */
  activate(experiment: Record<string, unknown>): Promise<string>;
}

const requestTimeoutMs = 20_000;

const localAdmin = { 'x-user-email': 'admin@example.com' };

/** @param session the headers of an admin of the first company */
export function createClient(
  url: string,
  apiKey: string,
  session: Readonly<Record<string, string>> = localAdmin,
): Client {
  const send = async (
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: unknown,
  ): Promise<Answer> => {
    const response = await fetch(url + path, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      signal: AbortSignal.timeout(requestTimeoutMs),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
  };
  const manage: Client['manage'] = (method, path, body) => send(method, path, { ...session }, body);
  return {
    manage,
    track: (method, path, body) => send(method, path, { 'x-api-key': apiKey }, body),
    activate: async (experiment) => {
      const created = await manage('POST', '/experiments', experiment);
      if (created.status !== 201)
        throw new Error(`create answered ${created.status}: ${JSON.stringify(created.body)}`);
      const { id } = created.body.data;
      const activated = await manage('PUT', `/experiments/${id}`, { status: 'ACTIVE' });
      if (activated.status !== 200) throw new Error(`activate answered ${activated.status}`);
      return id;
    },
  };
}

/** Asks again until the answer pleases; the last answer when it never does within the time. */
export async function until<T>(
  ask: () => Promise<T>,
  pleases: (answer: T) => boolean,
  withinMs: number,
): Promise<T> {
  const endsAt = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (pleases(answer) || performance.now() > endsAt) return answer;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
