export * from './insert-mac-key.ts';
export * from './load-mac-keys.ts';
