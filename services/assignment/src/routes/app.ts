import type { ApiKeyGuard } from '@bandit/auth';
import type { HttpServer } from '@bandit/http';

/** The server that the routes are registered on. */
export type App = HttpServer;

/** Lets a request with a good API key of a scope pass. */
export type KeyGuard = Pick<ApiKeyGuard, 'require'>;
