/** The part of tap's `t` that the harness needs. */
export interface TestScope {
  teardown(work: () => Promise<void> | void): void;
  comment(message: string): void;
}

/** Warnings and errors of a test's database go to stderr: a clean test prints nothing. */
export const testLog = {
  info: () => undefined,
  warn: (details: object, message: string) => console.warn(message, details),
  error: (details: object, message: string) => console.error(message, details),
};
