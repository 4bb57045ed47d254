/**
 * A platform over real HTTP that keeps what it is sent and shows every visitor the treatment that `choose` names. Only
 * for what the demo does around learning; that it learns is checked on the platform itself.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

interface Treatment {
  readonly id: string;
  readonly config: { readonly content: string };
}

export interface PlatformDouble {
  readonly url: string;
  readonly experiments: Map<string, { status: string; treatments: Treatment[]; name: string }>;
  /** Treatment id by assignment id. */
  readonly assignments: Map<string, string>;
  readonly conversions: string[];
  readonly headers: Set<string>;
  readonly paths: string[];
  /** Answers instead of the route when it returns true. */
  intercept: (path: string, response: ServerResponse, nth: number) => boolean;
  choose: (treatments: readonly Treatment[], userId: string) => Treatment;
}

export async function startPlatformDouble(t: Test): Promise<PlatformDouble> {
  const server = createServer((request, response) => void handle(request, response));
  const double: PlatformDouble = {
    url: '',
    experiments: new Map(),
    assignments: new Map(),
    conversions: [],
    headers: new Set(),
    paths: [],
    intercept: () => false,
    choose: (treatments) => treatments[0]!,
  };

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse((await readText(request)) || '{}') as Record<string, never>;
    const path = (request.url ?? '').replace(/exp_\d+/, ':id');
    double.paths.push(path);
    for (const name of ['authorization', 'x-user-email'] as const) {
      if (request.headers[name]) double.headers.add(`${path} ${name}: ${request.headers[name]}`);
    }
    if (double.intercept(path, response, double.paths.filter((other) => other === path).length)) return;
    const [status, data] = answer(path, request.url ?? '', body);
    answerJson(response, status, { success: true, data });
  }

  function answer(path: string, url: string, body: Record<string, never>): [number, unknown] {
    if (path === '/experiments') return [201, create(body)];
    if (path === '/experiments/:id') {
      const id = url.split('/').at(-1)!;
      double.experiments.set(id, { ...double.experiments.get(id)!, status: body.status! });
      return [200, {}];
    }
    if (path === '/experiments/:id/results') return [200, results(url.split('/')[2]!)];
    if (path === '/assignments') return [200, assign(body)];
    return [201, count(body)];
  }

  function create(body: { name?: string; treatments?: { config: { content: string } }[] }) {
    const id = `exp_${double.experiments.size}`;
    const treatments = (body.treatments ?? []).map(({ config }, k) => ({ id: `trt_${id}_${k}`, config }));
    double.experiments.set(id, { status: 'draft', treatments, name: body.name ?? '' });
    return { id, treatments };
  }

  function assign(body: { experimentId?: string; userId?: string }) {
    const { treatments } = double.experiments.get(body.experimentId!)!;
    const treatment = double.choose(treatments, body.userId!);
    const assignmentId = `asgn_${body.experimentId}_${body.userId}`;
    double.assignments.set(assignmentId, treatment.id);
    return { assignmentId, treatment };
  }

  function count(body: { events?: { assignmentId: string; eventType: string }[] }) {
    double.conversions.push(...(body.events ?? []).map(({ assignmentId }) => assignmentId));
    return { errors: [] };
  }

  /** One treatment that holds all counts of the experiment. */
  function results(id: string) {
    const isOwn = (assignmentId: string) => assignmentId.startsWith(`asgn_${id}_`);
    const trials = [...double.assignments.keys()].filter(isOwn).length;
    return { treatments: [{ trials, conversions: double.conversions.filter(isOwn).length }] };
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return Object.assign(double, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

export function answerJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
