import type { AssignmentIdCodec } from '@bandit/auth';
import {
  type AssignmentCache,
  type Bus,
  type ExperimentSnapshot,
  limits,
  type RecordStream,
  type Subscription,
  subjects,
  type WakeMessage,
  withDeadline,
} from '@bandit/contracts';
import type { Rng } from '@bandit/core';
import { listErasedSubjects, listServingStates, loadServingState, type OpenedDatabase } from '@bandit/db';
import type { Registry } from 'prom-client';
import { Assigner } from './assign/assigner.ts';
import { ErasedSubjects } from './erased/erased-subjects.ts';
import { createHotState, type HotState, type HotStateLog } from './hot-state/hot-state.ts';
import { createAssignmentCounts } from './metrics/assignment-counts.ts';
import { registerMetrics } from './metrics/register-metrics.ts';
import { type AssignmentStore, createAssignmentStore } from './record/assignment-store.ts';
import { createRecordsHandler } from './record/bring-in-records.ts';
import { Recorder } from './record/recorder.ts';

export interface AssignmentRuntimeDeps {
  db: OpenedDatabase['db'];
  bus: Pick<Bus, 'publish' | 'subscribe'>;
  /** Keeps what is answered while the database is away; undefined: there is no such stream (embedded default). */
  records?: RecordStream | undefined;
  cache: AssignmentCache;
  /** True when other processes share the cache, so that it can arbitrate while the database is away. */
  isCacheShared: boolean;
  ids: AssignmentIdCodec;
  /** The directory's `findExperiment` and `poll`. */
  directory: {
    findExperiment(companyId: string, experimentId: string): ExperimentSnapshot | undefined;
    poll(): Promise<void>;
  };
  /** Seeded per process. */
  rng: Rng;
  /** Unpredictable bytes, for nonces. */
  randomBytes(nBytes: number): Uint8Array;
  /** Secret of the draw that instances make alike while both stores are away; the same on all of them. */
  fallbackKey: Uint8Array;
  /** Database time, whole milliseconds. */
  nowMs(): number;
  log: HotStateLog;
  registry: Registry;
  /** How long a request waits for its commit; default limits.assignmentCommitTimeoutMs. */
  commitTimeoutMs?: number;
  stickyEntriesMax?: number;
  statePollMs?: number;
  probeIntervalMs?: number;
  unrecordedMax?: number;
  /** Instead of the one on `db`. */
  store?: AssignmentStore;
}

/** What runs beside the routes: learned states, the recorder and what is known of users. */
export interface AssignmentRuntime {
  readonly assigner: Assigner;
  readonly hotState: HotState;
  readonly recorder: Recorder;
  readonly erased: ErasedSubjects;
  /** Loads the learned states and follows them. */
  start(): Promise<void>;
  /** True once the learned states were listed. */
  isReady(): boolean;
  /** Stops following, lets running commits finish. Call it when no more requests come in. */
  close(): Promise<void>;
}

/** Builds the runtime; it runs from `start` to `close`. */
export function createAssignmentRuntime(deps: AssignmentRuntimeDeps): AssignmentRuntime {
  const { db, directory, nowMs, registry } = deps;
  const counts = createAssignmentCounts();
  const hotState = createHotState({
    listServingStates: (sinceMs, bytesMax) => listServingStates(db, sinceMs, bytesMax),
    loadServingState: (companyId, experimentId) => loadServingState(db, companyId, experimentId),
    subscribeState: (handler) => deps.bus.subscribe(subjects.stateAll, (_, payload) => handler(payload)),
    isDatabaseAway: () => recorder.isAway(),
    nowMs,
    log: deps.log,
    ...(deps.statePollMs === undefined ? {} : { pollMs: deps.statePollMs }),
  });
  const recorder = createRecorder(deps);
  const readings = { recorder, nKeptInRecords: () => deps.records?.nKept() };
  recorder.onCommit = registerMetrics(registry, counts, readings);
  const assigner = new Assigner({
    ...deps,
    hotState,
    recorder,
    counts,
    makeNonce: () => deps.randomBytes(nonceBytes),
    findExperiment: directory.findExperiment,
    reloadConfiguration: directory.poll,
    isErased: (...of) => erased.isErased(...of),
  });
  const erased = createErasedSubjects(deps, assigner);
  const handler = createRecordsHandler({
    ids: deps.ids,
    recorder,
    onDecided: (row, outcome) => assigner.correct(row, outcome),
    log: deps.log,
  });
  let draining: Promise<Subscription | undefined> | undefined;
  return {
    assigner,
    hotState,
    recorder,
    erased,
    async start() {
      // Not waited for: the bus may be away for as long as it likes.
      draining = deps.records
        ?.drain(handler, () => recorder.mayTakeRecords())
        .catch((error: unknown) => {
          deps.log.error({ err: error }, 'the records of other processes are not brought in by this one');
          return undefined;
        });
      await Promise.all([erased.start(), hotState.start()]);
    },
    isReady: () => hotState.isReady(),
    async close() {
      const stopping = draining?.then((subscription) => subscription?.close());
      await withDeadline(stopping ?? Promise.resolve(), lastRecordsMs, 'the last records').catch(
        () => undefined,
      );
      await Promise.all([erased.close(), hotState.close()]);
      await recorder.close();
    },
  };
}

const nonceBytes = 16;
const lastRecordsMs = limits.shutdownTimeoutMs / 5;

function createErasedSubjects(deps: AssignmentRuntimeDeps, assigner: Assigner): ErasedSubjects {
  return new ErasedSubjects({
    list: (sinceMs, limit) => listErasedSubjects(deps.db, sinceMs, limit),
    hashSubject: deps.ids.hashSubject,
    subscribe: (handler) => deps.bus.subscribe(subjects.erasedAll, (_, payload) => handler(payload)),
    onErased: ({ companyId, experimentIds, userId }) => assigner.forget(companyId, experimentIds, userId),
    onNew: (isNew, companyIds) => assigner.forgetEach(companyIds, isNew),
    pollMs: deps.statePollMs ?? limits.statePollMs,
  });
}

function createRecorder(deps: AssignmentRuntimeDeps): Recorder {
  const { directory } = deps;
  return new Recorder({
    store: deps.store ?? createAssignmentStore(deps.db, deps.ids.hashSubject),
    records: deps.records,
    configuration: {
      reloadConfiguration: directory.poll,
      isLive: ({ companyId, experimentId, treatmentId }) => {
        const experiment = directory.findExperiment(companyId, experimentId);
        return experiment?.treatments.find(({ id }) => id === treatmentId)?.isLive ?? true;
      },
    },
    wake: (partition) => deps.bus.publish(subjects.wake(partition), wakePayload({ partition })),
    nowMs: deps.nowMs,
    log: deps.log,
    commitTimeoutMs: deps.commitTimeoutMs,
    probeIntervalMs: deps.probeIntervalMs,
    unrecordedMax: deps.unrecordedMax,
  });
}

const wakePayload = (message: WakeMessage) => Buffer.from(JSON.stringify(message));
