import { ApiError, limits } from '@bandit/contracts';
import { endPolitely } from '@bandit/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Dispatcher } from 'undici';
import type { Instance, InstanceTable, ServiceName } from '../instance-table.ts';
import type { Outcomes } from './outcomes.ts';
import { answerHeaders, requestHeaders } from './pass-headers.ts';
import { type Body, readBody } from './read-body.ts';

export interface ForwardDeps {
  readonly table: Pick<InstanceTable, 'pick'>;
  readonly outcomes: Outcomes;
  /** The peer of this request may say who its user is. */
  readonly isTrusted: (request: FastifyRequest) => boolean;
}

type Done = (error?: Error) => void;

/**
 * Gives a request to an instance of the service and its answer to the client, both as they come. What certainly was not
 * sent goes to another instance. What may have been sent is never repeated: nobody knows whether it took effect.
 *
 * @param done called with an error when there is no instance's answer to give
 */
export function forward(
  deps: ForwardDeps,
  service: ServiceName,
  request: FastifyRequest,
  reply: FastifyReply,
  done: Done,
): void {
  const headers = requestHeaders(request.headers, request.id, deps.isTrusted(request));
  readBody(request.raw, (body) => {
    // Answered as late meanwhile, or nobody is there to be answered.
    if (reply.sent || reply.raw.destroyed) return;
    send({ deps, service, request, reply, headers, body, done, tried: undefined });
  });
}

interface Forwarding {
  readonly deps: ForwardDeps;
  readonly service: ServiceName;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly headers: (string | string[])[];
  readonly body: Body;
  readonly done: Done;
  /** Instances that did not take it. */
  tried: Set<Instance> | undefined;
}

function send(forwarding: Forwarding): void {
  const { deps, service, done } = forwarding;
  const instance = deps.table.pick(service, forwarding.tried);
  if (instance === undefined) {
    deps.outcomes.count(service, 'none');
    done(
      new ApiError('SERVICE_UNAVAILABLE', `no process of the ${service} service can take this: try again`),
    );
  } else if (instance.nInFlight >= limits.gatewayInFlightPerInstanceMax) {
    deps.outcomes.count(service, 'full');
    done(new ApiError('OVERLOADED', `the ${service} service is overloaded: try again`));
  } else {
    dispatch(forwarding, instance);
  }
}

function dispatch(forwarding: Forwarding, instance: Instance): void {
  const { request, headers, body } = forwarding;
  const options: Dispatcher.DispatchOptions = {
    path: request.url,
    method: request.method as Dispatcher.HttpMethod,
    headers: headers as string[],
    body,
    headersTimeout: request.routeOptions.config.answerWithinMs ?? limits.handlerTimeoutMs,
    bodyTimeout: limits.handlerTimeoutMs,
    // The instances are ours: an answer to HEAD has no body that would spoil the connection.
    reset: false,
  };
  instance.pool?.dispatch(options, new Passage(forwarding, instance));
}

/** One request on its way through one instance. undici calls these methods, one after another. */
class Passage implements Dispatcher.DispatchHandler {
  readonly #forwarding: Forwarding;
  readonly #instance: Instance;
  #controller: Dispatcher.DispatchController | undefined;
  /** The instance's answer has begun and goes to the client. */
  #isAnswering = false;
  #isOver = false;

  constructor(forwarding: Forwarding, instance: Instance) {
    this.#forwarding = forwarding;
    this.#instance = instance;
    instance.nInFlight += 1;
    forwarding.reply.raw.on('close', this.#onClientClosed);
  }

  /** From here on the request may have been sent. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isAbandoned()) controller.abort(nobodyWaits);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (statusCode < 200) return;
    if (this.#isAbandoned()) {
      controller.abort(nobodyWaits);
      return;
    }
    const { request, reply } = this.#forwarding;
    const passed = answerHeaders(headers, request.id);
    // The gateway's own count of this peer, unless the instance says something of its own count.
    for (const name of ['ratelimit-policy', 'ratelimit']) {
      const own = reply.getHeader(name);
      if (own !== undefined) passed[name] ??= String(own);
    }
    if (!request.raw.complete) {
      // Answered before the end of the body: the rest is not kept, and the connection cannot carry another request.
      passed.connection = 'close';
      endPolitely(request.raw);
    }
    this.#isAnswering = true;
    reply.hijack();
    reply.raw.writeHead(statusCode, passed);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { raw } = this.#forwarding.reply;
    if (raw.write(chunk)) return;
    controller.pause();
    raw.once('drain', () => controller.resume());
  }

  onResponseEnd(): void {
    this.#end();
    this.#forwarding.deps.outcomes.count(this.#instance.service, 'answered');
    this.#forwarding.reply.raw.end();
  }

  onResponseError(_controller: unknown, error: Error & { code?: string }): void {
    this.#end();
    const { deps, reply, done } = this.#forwarding;
    const { service } = this.#instance;
    if (this.#isAnswering) {
      deps.outcomes.count(service, 'broken');
      // Half an answer must not look like a whole one.
      reply.raw.destroy();
    } else if (this.#isAbandoned()) {
      deps.outcomes.count(service, 'abandoned');
    } else if (error.code === 'UND_ERR_INVALID_ARG' || error.code === 'UND_ERR_NOT_SUPPORTED') {
      done(
        new ApiError('MALFORMED_REQUEST', 'the request cannot be passed on as it stands', { cause: error }),
      );
    } else if (this.#controller === undefined) {
      deps.outcomes.count(service, 'refused');
      this.#forwarding.tried ??= new Set();
      this.#forwarding.tried.add(this.#instance);
      send(this.#forwarding);
    } else {
      deps.outcomes.count(service, 'unknown');
      done(new ApiError('SERVICE_UNAVAILABLE', unknownOutcome, { cause: error }));
    }
  }

  readonly #onClientClosed = (): void => {
    if (!this.#isOver) this.#controller?.abort(nobodyWaits);
  };

  #isAbandoned(): boolean {
    const { reply } = this.#forwarding;
    return reply.raw.destroyed || (reply.sent && !this.#isAnswering);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#instance.nInFlight -= 1;
    this.#forwarding.reply.raw.off('close', this.#onClientClosed);
  }
}

const nobodyWaits = new Error('nobody waits for the answer any more');
const unknownOutcome =
  'the process that worked on this ended before it answered: it may have taken effect or not; ask again, what was stored already is not stored twice';
