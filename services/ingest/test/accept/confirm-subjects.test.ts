import type { ExperimentSnapshot, TrackEvent } from '@bandit/contracts';
import t from 'tap';
import { confirmSubjects } from '../../src/accept/confirm-subjects.ts';

const experiment = { id: 'exp_1', treatments: [{ id: 'trt_a' }] } as unknown as ExperimentSnapshot;
const triplet = (experimentId: string, treatmentId: string): TrackEvent => ({
  experimentId,
  treatmentId,
  userId: 'ann',
  eventType: 'CONVERSION',
});

t.test('the configuration is confirmed once, and only for names that memory does not hold', async (t) => {
  const cases: [string, TrackEvent[], number][] = [
    ['known names', [triplet('exp_1', 'trt_a')], 0],
    ['an assignment id proves itself', [{ assignmentId: 'asgn_x', eventType: 'CLICK' }], 0],
    ['an incomplete triplet is 400 whatever exists', [{ experimentId: 'exp_9', eventType: 'CLICK' }], 0],
    ['an unknown experiment', [triplet('exp_9', 'trt_a')], 1],
    ['an unknown treatment', [triplet('exp_1', 'trt_9')], 1],
    ['many unknown names', [triplet('exp_9', 'trt_a'), triplet('exp_8', 'trt_a')], 1],
  ];
  for (const [name, events, expected] of cases) {
    let nConfirmed = 0;
    const deps = {
      findExperiment: (_company: string, id: string) => (id === 'exp_1' ? experiment : undefined),
      confirmConfiguration: async () => {
        nConfirmed += 1;
      },
    };
    await confirmSubjects(deps, 'cmp_1', events);
    t.equal(nConfirmed, expected, name);
  }
});
