import type { HttpServer } from '@bandit/http';

/** The server that the routes are registered on. */
export type App = HttpServer;
