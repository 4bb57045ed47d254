import t from 'tap';
import { parseItems } from '../src/parse-items.ts';

const items = { field: 'events', itemsMax: 3 };
const parse = (text: string | Buffer): unknown => parseItems(Buffer.from(text as string), items);
const refusal = (pattern: RegExp) => ({ code: 'MALFORMED_JSON', message: pattern });

t.test('refuses items one by one and reads the others', async (t) => {
  const deep = `${'['.repeat(17)}${']'.repeat(17)}`;
  const table: [string, RegExp][] = [
    ['{"a":"\\u0000"}', /^event holds \\u0000/],
    ['{"a":"]\\"\\udc00,"}', /lone surrogate/],
    ['{"a":{"b":[1e999]}}', /not finite/],
    ['{"\\u005f_proto__":{}}', /prototype/],
    [deep, /nested deeper than 16/],
  ];
  for (const [bad, pattern] of table) {
    const body = parse(`{ "x": ["events"], "events" : [ {"a":"],["} , ${bad},3 ], "y": {"events":[]} }`);
    t.match(body, { x: ['events'], y: { events: [] } });
    const [first, second, third] = (body as { events: unknown[] }).events;
    t.strictSame([first, third], [{ a: '],[' }, 3], bad);
    t.match(second, refusal(pattern), bad);
  }
  const broken = Buffer.concat([Buffer.from('{"events":["'), Buffer.from([0xff]), Buffer.from('","ö"]}')]);
  const [first, second] = (parse(broken) as { events: unknown[] }).events;
  t.match(first, refusal(/broken UTF-8/));
  t.equal(second, 'ö');
});

t.test('leaves to the whole body what concerns more than items', async (t) => {
  const bad = '"\\u0000"';
  for (const body of [
    `{"events":[${bad}`,
    `{"events":[${bad}]`,
    `{"events":[${bad}]}]`,
    `{"events":[${bad},]}`,
    `{"events":[,${bad}]}`,
    `{"events":[${bad},{"a":}]}`,
    `{"events":[${bad} ${bad}]}`,
    `{"events":[${bad}],"x":${bad}}`,
    `{"events":[${bad}],"events":[1]}`,
    `{"events":[1,2,3,${bad}]}`,
    `{"events":{"events":[${bad}]}}`,
    `{"other":[${bad}]}`,
    `["events",[${bad}]]`,
    `[${bad}]`,
    bad,
    '',
  ]) {
    t.equal(parse(body), undefined, body);
  }
});
