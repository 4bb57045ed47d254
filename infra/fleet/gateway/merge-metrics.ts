/** Metrics of one process in Prometheus' text format. */
export interface MetricsText {
  readonly instance: string;
  readonly text: string;
}

interface Family {
  help: string | undefined;
  type: string | undefined;
  readonly samples: string[];
}

const comment = /^# (HELP|TYPE) ([A-Za-z_:][\w:]*) ?(.*)$/;
const sample = /^([A-Za-z_:][\w:]*)(\{.*\})? ([+-]?(?:\d\S*|\.\d\S*|Inf|NaN)(?: -?\d+)?)$/;

/**
 * One text from the texts of several processes: HELP and TYPE of a metric once, all its samples together (the format
 * demands both), each with the label `instance`. Lines that are neither are left out.
 */
export function mergeMetrics(texts: readonly MetricsText[]): string {
  const families = new Map<string, Family>();
  for (const { instance, text } of texts) addText(families, instance, text);
  return [...families].map(([name, family]) => writeFamily(name, family)).join('');
}

function addText(families: Map<string, Family>, instance: string, text: string): void {
  const label = `instance=${JSON.stringify(instance)}`;
  let current = '';
  for (const line of text.split('\n')) {
    const described = comment.exec(line);
    if (described !== null) {
      const [, kind, name = '', rest] = described;
      current = name;
      const family = familyOf(families, name);
      if (kind === 'HELP') family.help ??= rest;
      else family.type ??= rest;
      continue;
    }
    const measured = line.startsWith('#') ? null : sample.exec(line);
    if (measured === null) continue;
    const [, name = '', labels = '{}', value] = measured;
    const inner = labels.slice(1, -1);
    const owner = belongsTo(name, current) ? current : name;
    familyOf(families, owner).samples.push(`${name}{${label}${inner === '' ? '' : `,${inner}`}} ${value}`);
  }
}

/** The samples of a histogram or summary carry the metric's name and an ending. */
function belongsTo(name: string, family: string): boolean {
  if (!name.startsWith(family)) return false;
  return ['', '_bucket', '_sum', '_count', '_total', '_created'].includes(name.slice(family.length));
}

function familyOf(families: Map<string, Family>, name: string): Family {
  let family = families.get(name);
  if (family === undefined) {
    family = { help: undefined, type: undefined, samples: [] };
    families.set(name, family);
  }
  return family;
}

function writeFamily(name: string, { help, type, samples }: Family): string {
  const head = [
    help === undefined ? [] : [`# HELP ${name} ${help}`],
    type === undefined ? [] : [`# TYPE ${name} ${type}`],
  ].flat();
  return `${[...head, ...samples].join('\n')}\n`;
}
