import { ApiError, limits } from '@bandit/contracts';
import { parseJson } from './parse-json.ts';
import { scanJson } from './scan-json.ts';

/** Which array of a body holds items that stand each for itself, and how many there may be. */
export interface JsonItems {
  readonly field: string;
  readonly itemsMax: number;
}

/**
 * A body that `parseJson` refused, read again item by item: what is refused inside an item is that item's ApiError, in
 * its place, and the others are read as ever.
 *
 * @returns undefined where the refusal concerns more than items: broken grammar, another shape, too many items
 */
export function parseItems(body: Buffer, { field, itemsMax }: JsonItems): unknown {
  const split = splitItems(body, field, itemsMax);
  if (split === undefined) return undefined;
  const frame = attempt(split.frame) as Record<string, unknown> | ApiError;
  if (frame instanceof ApiError || !Array.isArray(frame[field]) || frame[field].length > 0) return undefined;
  const items: unknown[] = [];
  for (const bytes of split.items) {
    const item = attempt(bytes);
    if (item instanceof ApiError && !isLooselyJson(bytes)) return undefined;
    items.push(item);
  }
  return { ...frame, [field]: items };
}

function attempt(bytes: Buffer): unknown {
  try {
    return parseJson(bytes, { name: 'event' });
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
}

/** Whether the grammar is right, and the refusal was for what the text holds. */
function isLooselyJson(bytes: Buffer): boolean {
  // Too deep to be parsed at all: its brackets match, as it was cut out by them, and no more is asked of it.
  if (scanJson(bytes, limits.jsonDepthMax).fault !== scanJson(bytes, Number.POSITIVE_INFINITY).fault)
    return true;
  try {
    JSON.parse(bytes.toString());
    return true;
  } catch {
    return false;
  }
}

interface SplitItems {
  /** The body with its array emptied. */
  readonly frame: Buffer;
  readonly items: readonly Buffer[];
}

const [quote, backslash, comma] = [0x22, 0x5c, 0x2c];
const [openArray, closeArray, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Cuts by quotes and brackets alone, in one pass and without recursion; these bytes stand for themselves in UTF-8. */
function splitItems(body: Buffer, field: string, itemsMax: number): SplitItems | undefined {
  const items: Buffer[] = [];
  let depth = 0;
  let key = '';
  let open = -1;
  let start = 0;
  for (let i = 0; i < body.length && items.length < itemsMax + 1; i += 1) {
    const byte = body[i];
    if (byte === quote) {
      const end = endOfString(body, i + 1);
      if (depth === 1) key = body.toString('latin1', i + 1, end);
      i = end;
    } else if (byte === openArray || byte === openObject) {
      depth += 1;
      if (open < 0 && byte === openArray && depth === 2 && key === field) {
        open = i;
        start = i + 1;
      }
    } else if (open >= 0 && depth === 2 && (byte === comma || byte === closeArray)) {
      items.push(body.subarray(start, i));
      start = i + 1;
      if (byte !== closeArray) continue;
      if (items.length > itemsMax) return undefined;
      return { frame: Buffer.concat([body.subarray(0, open + 1), body.subarray(i)]), items };
    } else if (byte === closeArray || byte === closeObject) {
      depth -= 1;
    }
  }
  return undefined;
}

function endOfString(body: Buffer, start: number): number {
  let i = start;
  while (i < body.length && body[i] !== quote) i += body[i] === backslash ? 2 : 1;
  return i;
}
