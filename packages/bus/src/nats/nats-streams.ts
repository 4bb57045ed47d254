import type { NatsLog } from './nats-connection.ts';
import { NatsFailure } from './nats-failure.ts';
import type { NatsSession, StreamPlan } from './nats-session.ts';

export interface NatsStream {
  readonly plan: StreamPlan;
  /**
   * Resolves once the stream is there. Asks the server once a session, and again after `forget`; callers at the same
   * time share one look. @throws NatsFailure
   */
  ensure(session: NatsSession): Promise<void>;
  /** The server did not know the stream: it came back empty, or somebody deleted it. */
  forget(): void;
}

/** @param plan what the stream must be; one that exists is changed to it where that is possible */
export function createNatsStream(plan: StreamPlan, log: NatsLog): NatsStream {
  let checked: { readonly session: NatsSession; readonly done: Promise<void> } | undefined;
  /** Said last: callers repeat what fails every few seconds. */
  let complaint = '';
  const complain = (error: unknown) => {
    if (!(error instanceof NatsFailure) || error.kind !== 'refused' || error.message === complaint) return;
    complaint = error.message;
    log.error({ stream: plan.name, reason: error.message }, 'a stream cannot be had on NATS');
  };
  const check = async (session: NatsSession) => {
    try {
      await makeOrAdapt(session, plan, log);
      complaint = '';
    } catch (error) {
      // The next caller looks again.
      checked = undefined;
      const failure = asClearFailure(error, plan);
      complain(failure);
      throw failure;
    }
  };
  return {
    plan,
    ensure: (session) => {
      if (checked?.session !== session) checked = { session, done: check(session) };
      return checked.done;
    },
    forget: () => {
      checked = undefined;
    },
  };
}

async function makeOrAdapt(session: NatsSession, plan: StreamPlan, log: NatsLog): Promise<void> {
  const found = await session.findStream(plan.name);
  if (found === undefined) {
    await session.addStream(plan);
    log.info({ stream: plan.name, replicas: plan.replicas }, 'a stream was made on NATS');
    return;
  }
  if (!found.isKeptOnDisk || !found.isKeptUntilLimits)
    log.warn(
      { stream: plan.name, isOnDisk: found.isKeptOnDisk, isKeptUntilLimits: found.isKeptUntilLimits },
      'a stream is not kept as it should be, and that cannot be changed: delete it once it is empty',
    );
  const differing = Object.entries(plan).filter(
    ([key, value]) => found.plan[key as keyof StreamPlan] !== value,
  );
  if (differing.length === 0 && found.isRefusingWhenFull) return;
  try {
    await session.updateStream(plan);
    log.info({ stream: plan.name, changed: Object.fromEntries(differing) }, 'a stream was changed on NATS');
  } catch (error) {
    if (!(error instanceof NatsFailure) || error.kind !== 'refused') throw error;
    // It still takes messages: better used as it is than not at all.
    log.warn(
      { stream: plan.name, wanted: Object.fromEntries(differing), reason: error.message },
      'NATS does not let us change a stream',
    );
  }
}

function asClearFailure(error: unknown, plan: StreamPlan): unknown {
  if (!(error instanceof NatsFailure)) return error;
  if (error.kind === 'nobody')
    return new NatsFailure('refused', 'JetStream is not enabled for this account, or not ready yet');
  if (error.kind === 'refused')
    return new NatsFailure(
      'refused',
      `the stream ${plan.name} cannot be made: ${error.message}`,
      error.apiCode,
    );
  return error;
}
