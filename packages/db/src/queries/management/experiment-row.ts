import type { Row } from '../../schema.ts';

export type ExperimentRow = Row<'experiments'>;
export type TreatmentRow = Row<'treatments'>;

/** An experiment and its live treatments in order of creation. */
export interface ExperimentWithTreatments {
  readonly experiment: ExperimentRow;
  readonly treatments: readonly TreatmentRow[];
}
