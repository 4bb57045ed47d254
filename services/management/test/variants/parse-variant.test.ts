import { type ContentType, limits } from '@bandit/contracts';
import t from 'tap';
import { checkTreatment } from '../../src/experiments/check-treatment.ts';
import { contentKey } from '../../src/variants/content-key.ts';
import { parseVariant } from '../../src/variants/parse-variant.ts';

const parse = (answer: unknown, contentType: ContentType = 'PLAIN_TEXT') =>
  parseVariant(answer, contentType, (treatment) => checkTreatment(contentType, treatment, 'the variant'));

const variant = { name: 'Proof', description: 'Names others.', content: 'Join 40 teams' };
const treatment = { name: 'Proof', description: 'Names others.', config: { content: 'Join 40 teams' } };
const json = JSON.stringify(variant);

t.test('a usable answer becomes a treatment', async (t) => {
  const answers: [string, unknown][] = [
    ['JSON text', json],
    ['an object', variant],
    ['JSON in a fence', `\`\`\`json\n${json}\n\`\`\``],
    ['JSON in a fence without a language', `\`\`\`\n${json}\n\`\`\`\n`],
    ['JSON after reasoning', `<think>{"name": "no"} hmm</think>\n${json}`],
    ['JSON inside prose', `Here is the variant:\n\n${json}\n\nGood luck!`],
    ['a fence inside prose', `Sure!\n\`\`\`json\n${json}\n\`\`\`\nIt works because…`],
    ['fields that were not asked for', { ...variant, score: 9, isControl: true, weight: 1e9 }],
    [
      'the shape of the API',
      { name: 'Proof', description: 'Names others.', config: { content: 'Join 40 teams' } },
    ],
    ['white space around the texts', { ...variant, name: ' Proof ', content: '\nJoin 40 teams\n' }],
  ];
  for (const [name, answer] of answers) t.same(parse(answer), treatment, name);
  t.same(parse({ ...variant, description: null }), { name: 'Proof', config: { content: 'Join 40 teams' } });
  const hostile = "<script>alert(1)</script>{{constructor}}'; drop table treatments; --";
  t.equal(parse({ ...variant, content: hostile }).config.content, hostile, 'hostile text is text');
});

t.test('an unusable answer is refused without repeating it', async (t) => {
  const answers: [string, unknown][] = [
    ['no text', ''],
    ['prose', 'I cannot help with that.'],
    ['broken JSON', json.slice(0, -5)],
    ['an array', [variant]],
    ['null', null],
    ['a number', 7],
    ['a missing name', { content: 'x' }],
    ['a blank name', { ...variant, name: '  ' }],
    ['a name that is no text', { ...variant, name: { toString: 'x' } }],
    ['a name that is too long', { ...variant, name: 'n'.repeat(limits.nameCharsMax + 1) }],
    ['missing content', { name: 'x' }],
    ['blank content', { ...variant, content: ' \n' }],
    ['content that is too long', { ...variant, content: 'c'.repeat(limits.contentCharsMax + 1) }],
    ['content that is an object', { ...variant, content: { text: 'x' } }],
    [
      'a description that is too long',
      { ...variant, description: 'd'.repeat(limits.descriptionCharsMax + 1) },
    ],
    ['a NUL', `{"name":"x","content":"a\\u0000b"}`],
    ['a NUL in an object', { ...variant, content: 'a\u0000b' }],
    ['half a surrogate pair', { ...variant, content: 'a\ud800b' }],
    ['a prototype', `{"name":"x","content":"secret","__proto__":{"isAdmin":true}}`],
    ['JSON nested 5,000 deep', `${'{"content":'.repeat(5_000)}1${'}'.repeat(5_000)}`],
  ];
  for (const [name, answer] of answers) {
    t.throws(
      () => parse(answer),
      {
        name: 'ProviderFailure',
        reason: 'answer-unusable',
        isRetryable: true,
        message: 'the AI provider failed: answer-unusable',
      },
      name,
    );
  }
});

t.test('content follows the rules of the content type', async (t) => {
  t.equal(parse({ ...variant, content: '{"a":1}' }, 'JSON').config.content, '{"a":1}');
  t.equal(parse({ ...variant, content: { a: 1 } }, 'JSON').config.content, '{"a":1}', 'JSON as a value');
  t.throws(() => parse({ ...variant, content: 'not json' }, 'JSON'), {
    name: 'ProviderFailure',
    reason: 'answer-unusable',
  });
  t.equal(
    parse({ ...variant, content: 'https://a.example/b.png' }, 'IMAGE_URL').config.content,
    'https://a.example/b.png',
  );
  t.throws(() => parse({ ...variant, content: 'javascript:alert(1)' }, 'IMAGE_URL'), {
    name: 'ProviderFailure',
    reason: 'answer-unusable',
  });
  t.equal(
    parse({ ...variant, content: '  <p>x</p>\n' }, 'HTML').config.content,
    '  <p>x</p>\n',
    'HTML is left as it is',
  );
});

t.test('contentKey is equal for contents that look the same', async (t) => {
  const pairs: [ContentType, string, string, boolean][] = [
    ['PLAIN_TEXT', 'Join  us\n', ' Join us', true],
    ['PLAIN_TEXT', 'caf\u00e9', 'cafe\u0301', true],
    ['PLAIN_TEXT', 'Join us', 'Join us!', false],
    ['PLAIN_TEXT', 'Join us', 'JOIN US', false],
    ['JSON', '{"a":1,"b":{"c":2,"d":3}}', '{ "b": {"d":3, "c":2}, "a": 1 }', true],
    ['JSON', '[1,2]', '[2,1]', false],
    ['IMAGE_URL', 'https://a.example/b.png ', 'https://a.example/b.png', true],
  ];
  for (const [contentType, a, b, isEqual] of pairs) {
    t.equal(contentKey(contentType, a) === contentKey(contentType, b), isEqual, `${contentType} ${a} | ${b}`);
  }
});
