/** The fuzz of every route and of raw sockets, against the gateway of a fleet with two processes of everything. */
import t from 'tap';
import { checkFuzz } from './check-fuzz.ts';

checkFuzz(t, 'fleet', 4);
