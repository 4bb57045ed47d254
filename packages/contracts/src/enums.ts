import { type Static, Type } from '@sinclair/typebox';

export const algorithms = [
  'EPSILON_GREEDY',
  'UCB1',
  'THOMPSON_SAMPLING',
  'LINEAR_CONTEXTUAL',
  'NEURAL_CONTEXTUAL',
] as const;
export const contentTypes = ['PLAIN_TEXT', 'HTML', 'MARKDOWN', 'JSON', 'IMAGE_URL'] as const;
export const experimentStatuses = ['draft', 'active', 'paused', 'completed', 'archived'] as const;
export const funnelStatuses = ['draft', 'active', 'paused', 'completed'] as const;
export const eventTypes = ['ASSIGNMENT', 'CONVERSION', 'CLICK', 'VIEW', 'CUSTOM'] as const;
export const apiKeyScopes = ['assign', 'events'] as const;
export const memberRoles = ['admin', 'member'] as const;
export const variantStrategies = [
  'emotional appeal',
  'urgency',
  'social proof',
  'curiosity',
  'authority',
  'benefit focus',
  'simplicity',
  'personalization',
] as const;

/** A string that is one of `values`; in JSON Schema an `enum`, in TypeScript the union. */
export function stringEnum<const T extends readonly string[]>(
  values: T,
  options: Record<string, unknown> = {},
) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: [...values], ...options });
}

/** Accepts either case of each value (decisions: enumerations that the reference shows in both cases). */
export function eitherCaseEnum<const T extends readonly string[]>(values: T) {
  const both = values.flatMap((value) => [value.toLowerCase(), value.toUpperCase()]);
  return Type.Unsafe<string>({ type: 'string', enum: [...new Set(both)] });
}

export type Algorithm = (typeof algorithms)[number];
export type ContentType = (typeof contentTypes)[number];
export type ExperimentStatus = (typeof experimentStatuses)[number];
export type FunnelStatus = (typeof funnelStatuses)[number];
export type EventType = (typeof eventTypes)[number];
export type ApiKeyScope = (typeof apiKeyScopes)[number];
export type MemberRole = (typeof memberRoles)[number];
export type VariantStrategy = (typeof variantStrategies)[number];

export const eventTypeSchema = stringEnum(eventTypes);
export type EventTypeSchema = Static<typeof eventTypeSchema>;
