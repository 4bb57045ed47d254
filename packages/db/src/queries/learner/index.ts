export * from './commit-fold.ts';
export * from './count-facts.ts';
export * from './day-sums.ts';
export * from './learner-experiments.ts';
export * from './outcomes.ts';
export * from './read-facts.ts';
export * from './read-fold-range.ts';
