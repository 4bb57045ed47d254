import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  onRequestHookHandler,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';

/** The server that the routes are registered on. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** The credentials that the routes ask for. */
export interface Access {
  /** Lets a request with an API key of scope `events` pass, else answers 401 or 403. */
  readonly eventsKey: onRequestHookHandler;
  /** The company whose key the hook found. */
  readonly companyOf: (request: FastifyRequest) => string;
}
