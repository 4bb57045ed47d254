/** The part of a logger that the learner uses. */
export interface LearnerLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}
