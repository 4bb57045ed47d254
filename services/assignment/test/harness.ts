import { randomBytes } from 'node:crypto';
import { createApiKeyGuard, createAssignmentIdCodec, makeApiKey } from '@bandit/auth';
import { createInProcessBus } from '@bandit/bus';
import { createInProcessCache } from '@bandit/cache';
import {
  type Algorithm,
  type ApiKeyScope,
  type AssignmentCache,
  type Bus,
  type ExperimentStatus,
  makeId,
  subjects,
} from '@bandit/contracts';
import { createRng } from '@bandit/core';
import { findApiKey, listCompanyVersions, loadCompanies, partitionOfExperiment } from '@bandit/db';
import type { TestDatabase } from '@bandit/db/testing';
import { createDirectory, type Directory } from '@bandit/directory';
import { createHttpServer, type HttpServer } from '@bandit/http';
import { Registry } from 'prom-client';
import type { Test } from 'tap';
import type { KnownAssignment } from '../src/assign/known-assignment.ts';
import {
  type AssignmentRuntime,
  type AssignmentRuntimeDeps,
  buildApp,
  createAssignmentRuntime,
} from '../src/index.ts';

type Db = TestDatabase['db'];

/** One instance of the service on a database, with its clock in the test's hands. */
export interface Instance {
  readonly runtime: AssignmentRuntime;
  readonly directory: Directory;
  readonly cache: AssignmentCache;
  readonly bus: Bus;
  readonly registry: Registry;
  /** Every subject published. */
  readonly published: string[];
  /** What the route does, without HTTP. */
  assign(experimentId: string, userId?: string): Promise<KnownAssignment>;
  post(body: unknown, headers?: Record<string, string>): Promise<Answer>;
  get(path: string, headers?: Record<string, string>): Promise<Answer>;
  head(path: string): Promise<Answer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field.
  readonly body: any;
}

export interface Clock {
  nowMs: number;
}

export interface InstanceOptions extends Partial<AssignmentRuntimeDeps> {
  /** Whose key a request brings that brings none of its own. */
  readonly companyId: string;
  readonly clock: Clock;
}

export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
export const ids = createAssignmentIdCodec([{ id: 'mk1', key: Buffer.alloc(32, 3) }]);

let nInstances = 0;

export async function startInstance(t: Test, db: Db, options: InstanceOptions): Promise<Instance> {
  const { companyId, clock, ...change } = options;
  const nowMs = () => clock.nowMs;
  const published: string[] = [];
  const bus = createInProcessBus({ log: silent });
  const cache = change.cache ?? createInProcessCache({ nowMs, entriesMax: 1_000 });
  const registry = new Registry();
  const directory = createDirectory({
    loadVersions: () => listCompanyVersions(db),
    loadCompanies: (companyIds) => loadCompanies(db, companyIds),
    findApiKey: (keyId) => findApiKey(db, keyId),
    subscribeConfig: (handler) => bus.subscribe(subjects.configAll, (_, payload) => handler(payload)),
    nowMs,
    log: silent,
    pollMs: 3_600_000,
  });
  const runtime = createAssignmentRuntime({
    db,
    bus: {
      subscribe: bus.subscribe,
      publish: (subject, payload) => {
        published.push(subject);
        bus.publish(subject, payload);
      },
    },
    cache,
    isCacheShared: false,
    ids,
    directory,
    // Another sequence for each instance: they must not agree by chance.
    rng: createRng(20_260_115 + nInstances++),
    randomBytes,
    fallbackKey: Buffer.alloc(32, 7),
    nowMs,
    log: silent,
    registry,
    // Nothing here is about waiting: the deadline is far away, the polls are called.
    commitTimeoutMs: 60_000,
    statePollMs: 3_600_000,
    probeIntervalMs: 3_600_000,
    stickyEntriesMax: 10_000,
    ...change,
  });
  // Made on first use: building a server costs more than all else here.
  let app: Promise<HttpServer> | undefined;
  const findApp = () => {
    app ??= createApp({ registry, directory, runtime, nowMs });
    return app;
  };
  await directory.start();
  await runtime.start();
  t.teardown(async () => {
    await (await app)?.close();
    await runtime.close();
    await directory.close();
    await bus.close();
  });
  const assign = async (experimentId: string, userId = 'u'): Promise<KnownAssignment> => {
    const experiment = directory.findExperiment(companyId, experimentId)!;
    const { assigner } = runtime;
    return (
      assigner.findKnown(experiment, userId) ??
      (await assigner.assign({ experiment, userId, context: undefined }))
    );
  };
  return { runtime, directory, cache, bus, registry, published, assign, ...callers(findApp, companyId) };
}

async function createApp(
  parts: Pick<Instance, 'registry' | 'directory' | 'runtime'> & { nowMs(): number },
): Promise<HttpServer> {
  const { registry, directory, runtime, nowMs } = parts;
  const app = await createHttpServer({
    service: 'assignment',
    version: '0',
    logger: false,
    nowMs,
    registry,
    makeRequestId: () => 'request',
  });
  await app.register(
    buildApp({
      keyGuard: createApiKeyGuard({ findKey: directory.findKey, loadKey: directory.loadKey, nowMs }),
      findExperiment: directory.findExperiment,
      confirmConfiguration: directory.confirm,
      nowMs,
      runtime,
    }),
  );
  return app;
}

function callers(
  findApp: () => Promise<HttpServer>,
  companyId: string,
): Pick<Instance, 'post' | 'get' | 'head'> {
  const call = async (method: 'GET' | 'HEAD' | 'POST', url: string, payload?: unknown, headers = {}) => {
    const app = await findApp();
    const response = await app.inject({
      method,
      url,
      headers: { 'x-api-key': keyOf(companyId), ...headers },
      ...(payload === undefined ? {} : { payload: payload as object }),
    });
    const text = response.body;
    return {
      status: response.statusCode,
      headers: response.headers,
      text,
      body: text === '' ? undefined : JSON.parse(text),
    };
  };
  return {
    post: (body, headers) =>
      call('POST', '/assignments', typeof body === 'string' ? body : JSON.stringify(body), {
        'content-type': 'application/json',
        ...headers,
      }),
    get: (path, headers) => call('GET', `/assignments/${path}`, undefined, headers),
    head: (path) => call('HEAD', `/assignments/${path}`),
  };
}

export interface ExperimentChange {
  algorithm?: Algorithm;
  status?: ExperimentStatus;
  ttl?: number;
  endAtMs?: number;
  weights?: readonly number[];
}

/** A company of the test's own, with a key for each scope. */
export async function addCompany(db: Db): Promise<string> {
  const companyId = makeId('company', randomBytes(16));
  await db.insertInto('companies').values({ id: companyId, name: companyId }).execute();
  for (const scope of ['assign', 'events'] as const) await addKey(db, companyId, scope);
  return companyId;
}

const keys = new Map<string, string>();

export function keyOf(companyId: string, scope: ApiKeyScope = 'assign'): string {
  return keys.get(`${companyId} ${scope}`)!;
}

async function addKey(db: Db, companyId: string, scope: ApiKeyScope): Promise<void> {
  const { key, keyId, prefix, secretHash } = makeApiKey('test', randomBytes);
  keys.set(`${companyId} ${scope}`, key);
  await db
    .insertInto('api_keys')
    .values({
      company_id: companyId,
      id: makeId('apiKey', randomBytes(16)),
      key_id: keyId,
      name: scope,
      prefix,
      secret_hash: secretHash,
      scopes: [scope],
    })
    .execute();
}

/** An experiment with a treatment per weight, active unless said otherwise. */
export async function addExperiment(
  db: Db,
  companyId: string,
  change: ExperimentChange = {},
): Promise<string> {
  const { algorithm = 'THOMPSON_SAMPLING', status = 'active', ttl = 60, endAtMs, weights = [1, 1] } = change;
  const id = makeId('experiment', randomBytes(16));
  await db
    .insertInto('experiments')
    .values({
      company_id: companyId,
      id,
      partition: partitionOfExperiment(id),
      name: 'Headline',
      algorithm,
      content_type: 'PLAIN_TEXT',
      status,
      assignment_ttl: ttl,
      end_at: endAtMs === undefined ? null : new Date(endAtMs),
    })
    .execute();
  for (const [position, weight] of weights.entries()) await addTreatment(db, companyId, id, position, weight);
  await bumpConfig(db, companyId);
  return id;
}

export async function addTreatment(
  db: Db,
  companyId: string,
  experimentId: string,
  position: number,
  weight = 1,
) {
  await db
    .insertInto('treatments')
    .values({
      company_id: companyId,
      experiment_id: experimentId,
      id: treatmentId(experimentId, position),
      position,
      name: `Headline "${position}"`,
      config: JSON.stringify({ content: `Text ${position}\n`, metadata: { position } }),
      weight,
    })
    .execute();
}

export const treatmentId = (experimentId: string, position: number) =>
  `trt_${position}_${experimentId.slice(4)}`;

export async function removeTreatment(db: Db, experimentId: string, position: number): Promise<void> {
  await db
    .updateTable('treatments')
    .set({ removed_at: new Date(1_790_000_000_000) })
    .where('id', '=', treatmentId(experimentId, position))
    .execute();
}

export async function updateExperiment(
  db: Db,
  experimentId: string,
  set: { status?: ExperimentStatus; assignment_ttl?: number; end_at?: Date },
): Promise<void> {
  await db.updateTable('experiments').set(set).where('id', '=', experimentId).execute();
}

/** What management does with every change. @returns the new version */
export async function bumpConfig(db: Db, companyId: string): Promise<number> {
  const { config_version } = await db
    .updateTable('companies')
    .set((eb) => ({ config_version: eb('config_version', '+', 1) }))
    .where('id', '=', companyId)
    .returning('config_version')
    .executeTakeFirstOrThrow();
  return config_version;
}

/** Every assignment on record of an experiment, oldest first. */
export async function recordedAssignments(db: Db, experimentId: string) {
  return await db
    .selectFrom('assignments')
    .selectAll()
    .where('experiment_id', '=', experimentId)
    .orderBy('assigned_at')
    .orderBy('batch')
    .orderBy('position')
    .execute();
}
