export * from './claim-variant-request.ts';
export * from './list-strategy-outcomes.ts';
export * from './list-treatment-sums.ts';
export * from './release-variant-request.ts';
