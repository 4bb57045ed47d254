import { createHmac, randomBytes } from 'node:crypto';
import { createInProcessBus } from '@bandit/bus';
import { createInProcessCache } from '@bandit/cache';
import {
  type Algorithm,
  ApiError,
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
import type { FastifyRequest } from 'fastify';
import { Registry } from 'prom-client';
import type { Test } from 'tap';
import {
  type Access,
  type AssignmentFields,
  type AssignmentIds,
  type AssignmentRuntime,
  type AssignmentRuntimeDeps,
  buildApp,
  createAssignmentRuntime,
} from '../src/index.ts';

type Db = TestDatabase['db'];

/** One instance of the service on a database, with its clock in the test's hands. */
export interface Instance {
  readonly app: HttpServer;
  readonly runtime: AssignmentRuntime;
  readonly directory: Directory;
  readonly cache: AssignmentCache;
  readonly bus: Bus;
  readonly registry: Registry;
  /** Every subject published. */
  readonly published: string[];
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

/** Company of a request without credentials of its own. */
export interface InstanceOptions extends Partial<AssignmentRuntimeDeps> {
  readonly companyId: string;
  readonly clock: Clock;
}

export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
export const ids = createTestIds();

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
    rng: createRng(20_260_115),
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
  const app = await createHttpServer({
    service: 'assignment',
    version: '0',
    logger: false,
    nowMs,
    registry,
    makeRequestId: () => 'request',
  });
  await app.register(
    buildApp({ access: fakeAccess(companyId), findExperiment: directory.findExperiment, nowMs, runtime }),
  );
  await directory.start();
  await runtime.start();
  t.teardown(async () => {
    await app.close();
    await runtime.close();
    await directory.close();
    await bus.close();
  });
  return { app, runtime, directory, cache, bus, registry, published, ...callers(app) };
}

function callers(app: HttpServer): Pick<Instance, 'post' | 'get' | 'head'> {
  const call = async (method: 'GET' | 'HEAD' | 'POST', url: string, payload?: unknown, headers = {}) => {
    const response = await app.inject({
      method,
      url,
      headers,
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

/** A request is of `companyId`, or of the company that `x-api-key` names. `none` has no credentials. */
function fakeAccess(companyId: string): Access {
  const keyOf = (request: FastifyRequest) => request.headers['x-api-key'];
  return {
    assignKey(request, _reply, done) {
      if (keyOf(request) === 'none') throw new ApiError('UNAUTHORIZED', 'no key');
      if (keyOf(request) === 'events only') throw new ApiError('FORBIDDEN', 'wrong scope');
      done();
    },
    companyOf: (request) => String(keyOf(request) ?? companyId),
  };
}

/** Ids that prove themselves, as plainly as can be. */
function createTestIds(): AssignmentIds {
  const mac = (text: string) => createHmac('sha256', 'test').update(text).digest('base64url').slice(0, 12);
  return {
    currentKeyId: 'mk1',
    sign: (fields) => {
      const text = Buffer.from(
        JSON.stringify([
          fields.macKeyId,
          fields.companyId,
          fields.experimentId,
          fields.treatmentId,
          fields.userId,
          Buffer.from(fields.nonce).toString('hex'),
          fields.assignedAtMs,
          fields.expiresAtMs,
          fields.propensity ?? null,
          fields.confidence,
          fields.stateVersion,
        ]),
      ).toString('base64url');
      return `asgn_${text}-${mac(text)}`;
    },
    verify: (id) => {
      const text = id.slice('asgn_'.length, -13);
      if (id !== `asgn_${text}-${mac(text)}`) return undefined;
      const all = JSON.parse(Buffer.from(text, 'base64url').toString());
      const [macKeyId, companyId, experimentId, treatmentId, userId, nonce, assignedAtMs] = all;
      const [expiresAtMs, propensity, confidence, stateVersion] = all.slice(7);
      const fields: AssignmentFields = {
        macKeyId,
        companyId,
        experimentId,
        treatmentId,
        userId,
        nonce: Buffer.from(nonce, 'hex'),
        assignedAtMs,
        expiresAtMs,
        propensity: propensity ?? undefined,
        confidence,
        stateVersion,
      };
      return fields;
    },
  };
}

export interface ExperimentChange {
  algorithm?: Algorithm;
  status?: ExperimentStatus;
  ttl?: number;
  endAtMs?: number;
  weights?: readonly number[];
}

/** A company of the test's own. */
export async function addCompany(db: Db): Promise<string> {
  const companyId = makeId('company', randomBytes(16));
  await db.insertInto('companies').values({ id: companyId, name: companyId }).execute();
  return companyId;
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
