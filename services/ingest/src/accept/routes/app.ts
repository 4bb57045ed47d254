import type { HttpServer } from '@bandit/http';
import type { FastifyRequest, onRequestHookHandler } from 'fastify';

/** The server that the routes are registered on. */
export type App = HttpServer;

/** The credentials that the routes ask for. */
export interface Access {
  /** Lets a request with an API key of scope `events` pass, else answers 401 or 403. */
  readonly eventsKey: onRequestHookHandler;
  /** The company whose key the hook found. */
  readonly companyOf: (request: FastifyRequest) => string;
}
