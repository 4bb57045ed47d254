import { limits } from '@bandit/contracts';
import { context } from '@opentelemetry/api';
import { BusResponderError, BusTimeoutError, BusUnavailableError } from '../bus-errors.ts';
import type { Responder } from '../responders.ts';
import type { NatsLog } from './nats-connection.ts';
import { asBusError, NatsFailure } from './nats-failure.ts';
import type { NatsMessage, NatsSession } from './nats-session.ts';
import type { Listen } from './nats-subscriptions.ts';
import { readTraceHeaders, traceOf } from './trace-headers.ts';

/** NATS's own header for a service's failure. */
const errorCodeHeader = 'Nats-Service-Error-Code';
const queue = 'responders';
const nothing = new Uint8Array(0);

/** @throws BusTimeoutError, also when nobody answers there; BusResponderError; BusUnavailableError */
export async function ask(
  session: NatsSession | undefined,
  target: { readonly subject: string; readonly serverSubject: string },
  payload: Uint8Array,
  timeoutMs: number,
): Promise<Uint8Array> {
  const { subject, serverSubject } = target;
  if (session === undefined) throw new BusUnavailableError('NATS is away');
  const answer = await session
    .request(serverSubject, payload, timeoutMs, readTraceHeaders())
    .catch((error: unknown) => {
      if (error instanceof NatsFailure && error.kind === 'nobody')
        throw new BusTimeoutError(subject, timeoutMs);
      throw asBusError(error, subject, timeoutMs);
    });
  const failure = answer.hasHeaders ? answer.header(errorCodeHeader) : undefined;
  if (failure === '503') throw new BusUnavailableError(`the responder of ${subject} has too much to do`);
  if (failure !== undefined) throw new BusResponderError(subject);
  return answer.payload;
}

/** Answers requests side by side, up to `busRespondersInFlightMax`; past it they are refused at once. */
export function listenForRequests(
  target: { readonly subject: string; readonly serverSubject: string },
  responder: Responder,
  log: NatsLog,
): Listen {
  const { subject, serverSubject } = target;
  let nInFlight = 0;
  const answer = async (session: NatsSession, request: NatsMessage) => {
    nInFlight += 1;
    try {
      const payload = await context.with(traceOf(request), responder, undefined, request.payload);
      reply(session, request, payload);
    } catch (error) {
      log.error({ err: error, subject }, 'a bus responder failed');
      refuse(session, request, '500', 'the responder failed');
    } finally {
      nInFlight -= 1;
    }
  };
  return (session) =>
    session.subscribe(serverSubject, {
      queue,
      onMessage: (request) => {
        if (nInFlight >= limits.busRespondersInFlightMax) return refuse(session, request, '503', 'busy');
        void answer(session, request);
      },
      onRefused: (reason) => log.error({ subject, reason }, 'NATS does not let us answer requests'),
    });
}

/** @throws NatsFailure when the answer is too large */
function reply(session: NatsSession, request: NatsMessage, payload: Uint8Array): void {
  // The asker of a lost session has given up already.
  if (request.reply !== undefined && session.isOpen()) session.publish(request.reply, payload);
}

function refuse(session: NatsSession, request: NatsMessage, code: string, reason: string): void {
  if (request.reply === undefined || !session.isOpen()) return;
  const headers = { 'Nats-Service-Error': reason, [errorCodeHeader]: code };
  session.publish(request.reply, nothing, { headers });
}
