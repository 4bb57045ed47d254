import { Agent, request as httpRequest } from 'node:http';

/** What one client saw of one operation. */
export interface Seen {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field.
  readonly body: any;
  readonly isRecorded: boolean;
}

/** What was answered and what stayed unknown: judged against the tables afterwards. */
export interface Journal {
  /** User to the assignment that was answered. */
  readonly assigned: Map<string, { treatmentId: string; assignmentId: string; isRecorded: boolean }>;
  /** Assignment ids whose conversion was answered 201. */
  readonly converted: Set<string>;
  /** Conversions that were sent and answered 503 or not at all. */
  readonly unknown: Set<string>;
  /** Answers by operation and status; connection errors by their message. */
  readonly outcomes: Map<string, number>;
}

export function createJournal(): Journal {
  return { assigned: new Map(), converted: new Set(), unknown: new Set(), outcomes: new Map() };
}

/** Clients that assign and convert, one user after another, over kept connections and without ever repeating. */
export interface Driver {
  stop(): Promise<void>;
}

export function drive(
  url: string,
  apiKey: string,
  experimentId: string,
  journal: Journal,
  { name, nClients, pauseMs = 0 }: { name: string; nClients: number; pauseMs?: number },
): Driver {
  const agent = new Agent({ keepAlive: true, maxSockets: nClients });
  let isStopped = false;
  const post = (path: string, body: object): Promise<Seen | Error> =>
    send(agent, `${url}${path}`, apiKey, body);
  const count = (operation: string, seen: Seen | Error): void => {
    const outcome = `${operation} ${seen instanceof Error ? seen.message : seen.status}`;
    journal.outcomes.set(outcome, (journal.outcomes.get(outcome) ?? 0) + 1);
  };
  const serveOne = async (userId: string): Promise<void> => {
    const assigned = await post('/assignments', { experimentId, userId });
    count('assign', assigned);
    if (assigned instanceof Error || assigned.status !== 200) return;
    const { assignmentId, treatment } = assigned.body.data;
    const { isRecorded } = assigned;
    journal.assigned.set(userId, { treatmentId: treatment.id, assignmentId, isRecorded });
    journal.unknown.add(assignmentId);
    const converted = await post('/events', { assignmentId, eventType: 'CONVERSION' });
    count('convert', converted);
    if (converted instanceof Error || converted.status >= 500) return;
    journal.unknown.delete(assignmentId);
    if (converted.status === 201) journal.converted.add(assignmentId);
  };
  const clients = Array.from({ length: nClients }, async (_, client) => {
    for (let n = 0; !isStopped; n += 1) {
      await serveOne(`${name}-${client}-${n}`);
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  });
  return {
    stop: async () => {
      isStopped = true;
      await Promise.all(clients);
      agent.destroy();
    },
  };
}

function send(agent: Agent, url: string, apiKey: string, body: object): Promise<Seen | Error> {
  const text = JSON.stringify(body);
  const headers = {
    'x-api-key': apiKey,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  };
  return new Promise((resolve) => {
    const request = httpRequest(url, { method: 'POST', agent, headers, timeout: 20_000 }, (answer) => {
      let received = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        received += chunk;
      });
      answer.on('error', resolve);
      answer.on('end', () => {
        const isRecorded = answer.headers['x-recorded'] !== 'false';
        resolve({ status: answer.statusCode ?? 0, body: JSON.parse(received), isRecorded });
      });
    });
    request.on('timeout', () => request.destroy(new Error('no answer in 20 s')));
    request.on('error', resolve);
    request.end(text);
  });
}
