import { Agent, request as httpRequest } from 'node:http';

/** What came back, as it came; status 0 and a reason when nothing did. */
export interface Reply {
  readonly startMs: number;
  readonly endMs: number;
  readonly status: number;
  readonly error?: string;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are read field by field.
  readonly body: any;
  readonly hasRetryAfter: boolean;
  readonly isRecorded: boolean;
}

export interface Sender {
  post(path: string, body: object): Promise<Reply>;
  close(): void;
}

const timeoutMs = 20_000;

/** Kept connections, and never a repeat: what is unknown stays unknown. */
export function createSender(url: string, apiKey: string, nConnections: number): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets: nConnections });
  const post = (path: string, body: object): Promise<Reply> => {
    const text = JSON.stringify(body);
    const headers = {
      'x-api-key': apiKey,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    };
    const startMs = performance.now();
    const reply = (rest: Partial<Reply>): Reply => ({
      ...{ startMs, endMs: performance.now(), status: 0, text: '', body: undefined },
      ...{ hasRetryAfter: false, isRecorded: true, ...rest },
    });
    return new Promise((resolve) => {
      const lose = (error: Error): void => resolve(reply({ error: error.message }));
      const options = { method: 'POST', agent, headers, timeout: timeoutMs };
      const request = httpRequest(url + path, options, (answer) => {
        let received = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          received += chunk;
        });
        answer.on('error', lose);
        answer.on('end', () =>
          resolve(
            reply({
              status: answer.statusCode ?? 0,
              text: received,
              body: JSON.parse(received),
              hasRetryAfter: answer.headers['retry-after'] !== undefined,
              isRecorded: answer.headers['x-recorded'] !== 'false',
            }),
          ),
        );
      });
      request.on('timeout', () => request.destroy(new Error(`no answer in ${timeoutMs} ms`)));
      request.on('error', lose);
      request.end(text);
    });
  };
  return { post, close: () => agent.destroy() };
}
