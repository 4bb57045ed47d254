/** The fuzz of every route and of raw sockets, on a single process on Postgres, NATS and Redis. */
import t from 'tap';
import { checkFuzz } from './check-fuzz.ts';

checkFuzz(t, 'real', 4);
