import type { Test } from 'tap';
import { type Client, until } from '../platform/client.ts';

/** Everything that was answered, to be judged by the counts at the end. */
export interface Journal {
  /** @returns the answer's data. @throws when it is no 200 */
  assign(client: Client, experimentId: string, userId: string): Promise<Assigned>;
  /** Posts conversions in one batch, and takes nothing but 201. */
  convert(client: Client, assigned: readonly Assigned[]): Promise<void>;
  /** Waits until all is learned: trials are the assignments answered, conversions those answered 201. */
  judge(t: Test, management: Client): Promise<void>;
}

export interface Assigned {
  readonly assignmentId: string;
  readonly experimentId: string;
  readonly treatmentId: string;
  readonly userId: string;
}

const learnedWithinMs = 30_000;

export function createJournal(): Journal {
  const assignedIn = new Map<string, Set<string>>();
  const convertedIn = new Map<string, number>();
  return {
    assign: async (client, experimentId, userId) => {
      const { status, body } = await client.track('POST', '/assignments', { experimentId, userId });
      if (status !== 200) throw new Error(`an assignment answered ${status}: ${JSON.stringify(body)}`);
      const { assignmentId, treatment } = body.data;
      const ids = assignedIn.get(experimentId) ?? new Set();
      assignedIn.set(experimentId, ids.add(assignmentId));
      return { assignmentId, experimentId, treatmentId: treatment.id, userId };
    },
    convert: async (client, assigned) => {
      const events = assigned.map(({ assignmentId }) => ({ assignmentId, eventType: 'CONVERSION' }));
      const { status, body } = await client.track('POST', '/events/batch', { events });
      if (status !== 201) throw new Error(`conversions answered ${status}: ${JSON.stringify(body)}`);
      for (const { experimentId } of assigned)
        convertedIn.set(experimentId, (convertedIn.get(experimentId) ?? 0) + 1);
    },
    judge: async (t, management) => {
      const expected: Record<string, unknown> = {};
      const found: Record<string, unknown> = {};
      for (const [experimentId, ids] of assignedIn) {
        const conversions = convertedIn.get(experimentId) ?? 0;
        const { body } = await until(
          () => management.manage('GET', `/experiments/${experimentId}/results`),
          (answer) =>
            answer.body.data.totals.trials >= ids.size && answer.body.data.totals.conversions >= conversions,
          learnedWithinMs,
        );
        const { totals } = body.data;
        expected[experimentId] = { trials: ids.size, conversions };
        found[experimentId] = { trials: totals.trials, conversions: totals.conversions };
      }
      t.strictSame(found, expected, `each fact of ${assignedIn.size} experiments is counted once`);
    },
  };
}
