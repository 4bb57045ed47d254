import { Counter, type Registry } from 'prom-client';
import type { ServiceName } from '../instance-table.ts';

/**
 * answered: by an instance, whatever it answered; refused: an instance did not take it, another was asked; none: nobody
 * could take it; full: too many under way; unknown: sent, and no answer came; broken: the answer broke off; abandoned: the
 * client went away.
 */
export type Outcome = 'answered' | 'refused' | 'none' | 'full' | 'unknown' | 'broken' | 'abandoned';

export interface Outcomes {
  count(service: ServiceName, outcome: Outcome): void;
}

export function createOutcomes(registry: Registry): Outcomes {
  const counter = new Counter({
    name: 'bandit_gateway_requests_total',
    help: 'Requests given to the services, by what became of them.',
    labelNames: ['service', 'outcome'],
    registers: [registry],
  });
  return { count: (service, outcome) => counter.inc({ service, outcome }) };
}
