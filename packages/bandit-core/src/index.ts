export type * from './options.ts';
export type * from './policy.ts';
