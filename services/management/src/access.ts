import type { FastifyRequest, onRequestAsyncHookHandler } from 'fastify';

/** Who asks, as the hooks below found it in the database. */
export interface Caller {
  readonly companyId: string;
  /** Member id, or the API key's id. */
  readonly actor: string;
}

/** The credentials that routes ask for: hooks that let a request pass or throw 401 or 403. */
export interface Access {
  /** A member's session; an API key is refused. */
  readonly session: onRequestAsyncHookHandler;
  /** A session of a member with the admin role. */
  readonly admin: onRequestAsyncHookHandler;
  /** A session, or an API key with scope `events`. */
  readonly sessionOrEventsKey: onRequestAsyncHookHandler;
  /** @throws when none of the hooks has passed this request */
  readonly callerOf: (request: FastifyRequest) => Caller;
}
