import t from 'tap';
import { findConnectionShortage } from '../connection-budget.ts';
import { describeStore } from '../describe-store.ts';
import { planProcesses } from '../plan-processes.ts';

t.test('every process has a name, its program and an environment that keeps it behind the gateway', (t) => {
  const env = {
    HOST: '0.0.0.0',
    PORT: '80',
    DATABASE_URL: 'x',
    TRUSTED_PROXIES: '10.0.0.0/8',
    RATE_LIMIT_PER_PEER: '5',
  };
  const counts = { assignment: 2, ingest: 1, learner: 1, management: 1 };
  const plans = planProcesses({ counts, env, isAnyProxyTrusted: true });
  t.strictSame(
    plans.map(({ name }) => name),
    ['assignment-1', 'assignment-2', 'ingest-1', 'learner-1', 'management-1'],
  );
  t.strictSame(
    plans.map((plan) => plan.env.INGEST_PARTS),
    [undefined, undefined, 'accept', 'learner', undefined],
  );
  for (const plan of plans) {
    t.match(plan.env, { DATABASE_URL: 'x', TRUSTED_PROXIES: 'unix', RATE_LIMIT_PER_PEER: '0' });
    t.equal(plan.env.HOST ?? plan.env.PORT, undefined, 'it listens on its socket alone');
  }
  const [untrusting] = planProcesses({ counts, env, isAnyProxyTrusted: false });
  t.equal(untrusting?.env.TRUSTED_PROXIES, undefined, 'nobody says who the user is');
  t.end();
});

t.test('connections that Postgres does not have are told with the arithmetic', (t) => {
  const counts = { assignment: 2, ingest: 2, learner: 1, management: 1 };
  const perProcess = { assignment: 5, ingest: 6, learner: 7, management: 8 };
  // 10 + 12 + 7 + 8 = 37, and 8 for the largest while it is replaced: 45.
  t.equal(findConnectionShortage({ counts, perProcess, serverMax: 48, serverReserved: 3 }), undefined);
  const sentence = findConnectionShortage({ counts, perProcess, serverMax: 47, serverReserved: 3 });
  t.match(
    sentence,
    /45 connections .*assignment 2 x 5 \+ ingest 2 x 6 \+ learner 1 x 7 \+ management 1 x 8 \+ 8 while/,
  );
  t.match(sentence, /allows 44 \(max_connections 47 - 3 reserved\)/);
  t.end();
});

t.test('a store is named without its secrets', (t) => {
  t.equal(describeStore('postgres://u:secret@db:5432/bandit?sslmode=x'), 'postgres://db:5432/bandit');
  t.equal(describeStore('redis://:secret@a:6379,redis://b:6380/3'), 'redis://a:6379, redis://b:6380/3');
  for (const odd of ['user:secret without a scheme', 'nats://u:12,cret@a:4222', 'localhost']) {
    t.equal(describeStore(odd), '(as configured)');
  }
  t.end();
});
