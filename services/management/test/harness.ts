import { randomBytes } from 'node:crypto';
import {
  carriesApiKey,
  createApiKeyGuard,
  createAssignmentIdCodec,
  createNextAuthReader,
  createProxyTrust,
  createSessionGuard,
  getPrincipal,
  makeApiKey,
} from '@bandit/auth';
import { createInProcessBus } from '@bandit/bus';
import type { Bus, CreateExperiment, Experiment } from '@bandit/contracts';
import { findApiKey, findMember, partitionOfExperiment } from '@bandit/db';
import type { TestDatabase } from '@bandit/db/testing';
import { createHttpServer, type HttpServer } from '@bandit/http';
import type { InjectOptions } from 'fastify';
import { Registry } from 'prom-client';
import type { Test } from 'tap';
import { type Access, buildApp, createCompany, type ManagementDeps } from '../src/index.ts';

/** Signs the ids of assignments inserted by `insertAssignment`. */
export const codec = createAssignmentIdCodec([{ id: 'k1', key: Buffer.alloc(32, 7) }]);

export const platformToken = 'a platform token of the tests, long enough';

/** A running management app on a database, with a bus and a clock in the test's hands. */
export interface Harness {
  readonly store: TestDatabase;
  readonly db: TestDatabase['db'];
  readonly app: HttpServer;
  readonly bus: Bus;
  readonly deps: ManagementDeps;
  /** Added to the machine's clock. */
  readonly clock: { aheadMs: number };
  tenant(name?: string): Promise<Tenant>;
}

/** One company, its admin and its first key. */
export interface Tenant {
  readonly companyId: string;
  readonly adminId: string;
  readonly email: string;
  readonly apiKey: string;
  /** Sends a request as the admin, or as whoever `as` names by e-mail; `null` sends no credentials. */
  call(method: Method, url: string, payload?: unknown, as?: string | null): Promise<Answer>;
  /** Creates an experiment through the API. */
  experiment(body?: Partial<CreateExperiment>): Promise<Experiment>;
  /** Creates one with two treatments and activates it. */
  activeExperiment(body?: Partial<CreateExperiment>): Promise<Experiment>;
}

type Method = NonNullable<InjectOptions['method']>;

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field.
  readonly body: any;
}

export async function createHarness(
  t: Test,
  store: TestDatabase,
  change: Partial<ManagementDeps> = {},
): Promise<Harness> {
  const { db } = store;
  const log = { warn: () => undefined, error: () => undefined };
  const bus = createInProcessBus({ log });
  const clock = { aheadMs: 0 };
  const nowMs = () => Date.now() + clock.aheadMs;
  // On Postgres the app has the role it has in production; the test's own `db` is the owner's.
  const appDb = store.open({ role: 'bandit_app' });
  const deps: ManagementDeps = {
    db: appDb,
    bus,
    nowMs,
    randomBytes,
    access: accessOf(appDb, nowMs),
    makeApiKey: () => makeApiKey('test', randomBytes),
    signAssignment: codec.sign,
    hashSubject: codec.hashSubject,
    platformToken,
    ...change,
  };
  const app = await createServer(deps);
  t.teardown(async () => {
    await app.close();
    await bus.close();
  });
  let nTenants = 0;
  return {
    store,
    db,
    app,
    bus,
    deps,
    clock,
    tenant: async (name = `Tenant ${++nTenants}`) => {
      const email = `admin-${randomBytes(6).toString('hex')}@example.com`;
      const company = await createCompany(deps, { name, adminEmail: email });
      return makeTenant(app, email, company);
    },
  };
}

function makeTenant(
  app: HttpServer,
  email: string,
  company: Awaited<ReturnType<typeof createCompany>>,
): Tenant {
  const call: Tenant['call'] = (method, url, payload, as = email) =>
    send(app, { method, url, ...(payload === undefined ? {} : { payload: payload as object }) }, as);
  const experiment: Tenant['experiment'] = async (body = {}) => {
    const made = await call('POST', '/experiments', {
      name: 'Headline',
      algorithm: 'THOMPSON_SAMPLING',
      ...body,
    });
    if (made.status !== 201) throw new Error(`creating an experiment answered ${made.status}: ${made.text}`);
    return made.body.data;
  };
  return {
    companyId: company.id,
    adminId: company.admin.id,
    email,
    apiKey: company.apiKey,
    call,
    experiment,
    activeExperiment: async (body) => {
      const { id } = await experiment({ treatments: twoTreatments, ...body });
      const activated = await call('PUT', `/experiments/${id}`, { status: 'ACTIVE' });
      if (activated.status !== 200)
        throw new Error(`activation answered ${activated.status}: ${activated.text}`);
      return activated.body.data;
    },
  };
}

export const twoTreatments = [
  { name: 'Control', config: { content: 'Welcome' }, isControl: true },
  { name: 'Urgency', config: { content: 'Start today!' } },
];

export async function send(
  app: HttpServer,
  options: InjectOptions,
  as: string | null = null,
): Promise<Answer> {
  const headers = { ...options.headers, ...(as === null ? {} : { 'x-user-email': as }) };
  const response = await app.inject({ ...options, headers });
  return {
    status: response.statusCode,
    headers: response.headers,
    text: response.body,
    body: JSON.parse(response.body),
  };
}

/** An assignment as the assignment service records it, in a transaction of its own. @returns its nonce */
export async function insertAssignment(
  db: Harness['db'],
  of: { companyId: string; experimentId: string; treatmentId: string; userId: string },
  options: { assignedAt?: Date; recordedAt?: Date; source?: 'draw' | 'client'; value?: number } = {},
): Promise<Buffer> {
  const nonce = randomBytes(16);
  const assignedAt = options.assignedAt ?? new Date(Date.now());
  await db
    .insertInto('assignments')
    .values({
      company_id: of.companyId,
      experiment_id: of.experimentId,
      treatment_id: of.treatmentId,
      user_id: of.userId,
      nonce,
      assigned_at: assignedAt,
      expires_at: new Date(assignedAt.getTime() + 86_400_000),
      propensity: options.source === 'client' ? null : 0.5,
      confidence: 0.5,
      state_version: 0,
      predictions: null,
      source: options.source ?? 'draw',
      mac_key_id: 'k1',
      is_first: true,
      value: options.value ?? null,
      ...(options.recordedAt === undefined ? {} : { recorded_at: options.recordedAt }),
      partition: partitionOfExperiment(of.experimentId),
      position: 0,
    })
    .execute();
  return nonce;
}

/** Auth's own guards: a member is who x-user-email names (an injected request comes from loopback). */
function accessOf(db: TestDatabase['db'], nowMs: () => number): Access {
  const sessions = createSessionGuard({
    findMember: (email) => findMember(db, email),
    nextAuth: createNextAuthReader([]),
    jwt: { read: () => undefined },
    proxies: createProxyTrust(undefined, false),
    allowedOrigins: [],
    nowMs,
  });
  const keys = createApiKeyGuard({
    findKey: () => undefined,
    loadKey: (keyId) => findApiKey(db, keyId),
    nowMs,
  });
  return {
    session: sessions.session,
    admin: sessions.admin,
    sessionOrEventsKey: async (request) =>
      carriesApiKey(request.headers) ? keys.check(request, 'events') : sessions.session(request),
    callerOf: (request) => {
      const principal = getPrincipal(request);
      const actor = principal.kind === 'session' ? principal.memberId : principal.apiKeyId;
      return { companyId: principal.companyId, actor };
    },
  };
}

async function createServer(deps: ManagementDeps): Promise<HttpServer> {
  let nRequests = 0;
  const app = await createHttpServer({
    service: 'management',
    version: '0.0.0',
    logger: false,
    nowMs: deps.nowMs,
    registry: new Registry(),
    makeRequestId: () => `request-${++nRequests}`,
  });
  // A busy test machine is not an overloaded server.
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, isUnlimited: true };
  });
  await app.register(buildApp(deps));
  return app;
}

/** Once armed, the next transaction ends in a reset connection: after its commit, or instead of it. */
export function cutFirstCommit(db: Harness['db'], isStored: boolean) {
  let isArmed = false;
  let nCuts = 0;
  const reset = () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  type Work = (trx: never) => Promise<unknown>;
  const execute = async (work: Work) => {
    if (!isArmed) return db.transaction().execute(work as never);
    isArmed = false;
    nCuts += 1;
    await db.transaction().execute(async (trx) => {
      await work(trx as never);
      if (!isStored) throw reset();
    });
    throw reset();
  };
  const transaction = () => ({ execute });
  const wrapped = new Proxy(db, {
    get: (target, name) => (name === 'transaction' ? transaction : Reflect.get(target, name, target)),
  });
  return {
    db: wrapped,
    arm: () => {
      isArmed = true;
    },
    nCuts: () => nCuts,
  };
}
