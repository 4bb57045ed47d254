/** Subjects and streams of the bus: one spelling for every process. Ids never hold a dot, so each is one token. */
export const subjects = {
  /** Learner to assignment: a new state version of an experiment. */
  state: (experimentId: string) => `state.${experimentId}`,
  stateAll: 'state.*',
  /** Management to all: a company's configuration version moved. */
  config: (companyId: string) => `config.${companyId}`,
  configAll: 'config.*',
  /** Management to assignment: an end user was erased. */
  erased: (companyId: string) => `erased.${companyId}`,
  erasedAll: 'erased.*',
  /** Whoever committed facts to the learner of that partition: look now. Nothing depends on its arrival. */
  wake: (partition: number) => `wake.${partition}`,
  wakeAll: 'wake.*',
  /** Management to learner, request/reply: rebuild an experiment. */
  refresh: 'learner.refresh',
  /** Learner to whoever listens (JetStream). */
  event: (companyId: string) => `events.${companyId}`,
} as const;

export const streams = { events: 'EVENTS', records: 'RECORDS' } as const;
