import fc from 'fast-check';
import { hostileValue } from './hostile-values.ts';

/** One change of a JSON value: where (any number, taken modulo the places there are), what, and with which value. */
export interface Change {
  readonly at: number;
  readonly kind: 'replace' | 'remove' | 'add' | 'copy';
  readonly value: unknown;
}

export const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(10_000),
  kind: fc.constantFrom('replace', 'replace', 'replace', 'remove', 'add', 'copy'),
  value: hostileValue,
});

interface Place {
  readonly parent: Record<string, unknown> | unknown[];
  readonly key: string | number;
}

/** @returns a changed copy */
export function applyChange(body: unknown, { at, kind, value }: Change): unknown {
  const root = { body: structuredClone(body) };
  const places = listPlaces(root);
  const place = places[at % places.length] as Place;
  if (kind === 'replace') set(place, value);
  else if (kind === 'remove') remove(place);
  else if (kind === 'copy') set(place, structuredClone(get(places[(at * 7) % places.length] as Place)));
  else add(place, value);
  return root.body;
}

function listPlaces(root: Record<string, unknown>): Place[] {
  const places: Place[] = [];
  const pending: Place[] = [{ parent: root, key: 'body' }];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    places.push(place);
    const value = get(place);
    if (Array.isArray(value)) for (const key of value.keys()) pending.push({ parent: value, key });
    else if (typeof value === 'object' && value !== null) {
      for (const key of Object.keys(value)) pending.push({ parent: value as Record<string, unknown>, key });
    }
  }
  return places;
}

function get({ parent, key }: Place): unknown {
  return (parent as Record<string, unknown>)[key];
}

function set({ parent, key }: Place, value: unknown): void {
  (parent as Record<string, unknown>)[key] = value;
}

function remove({ parent, key }: Place): void {
  if (Array.isArray(parent)) parent.splice(key as number, 1);
  else delete (parent as Record<string, unknown>)[key];
}

function add(place: Place, value: unknown): void {
  const target = get(place);
  if (Array.isArray(target)) target.push(value);
  else if (typeof target === 'object' && target !== null) (target as Record<string, unknown>).extra = value;
  else set(place, value);
}
