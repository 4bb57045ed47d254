import t from 'tap';
import { checkAlgorithmConfig } from '../../src/experiments/algorithm-config.ts';
import { checkTransition } from '../../src/experiments/check-transition.ts';
import { checkTreatment } from '../../src/experiments/check-treatment.ts';

type Case = readonly [algorithm: Parameters<typeof checkAlgorithmConfig>[0], config: Record<string, unknown>];

t.test('what each algorithm takes is accepted', (t) => {
  const cases: Case[] = [
    ['EPSILON_GREEDY', {}],
    ['EPSILON_GREEDY', { epsilon: 0, discount: 0.9, explorationFloor: 1, reward: 'numeric' }],
    ['EPSILON_GREEDY', { decay: 5, valueRange: [-1, 1], attributionWindow: 2_592_000 }],
    ['UCB1', { variant: 'kl' }],
    ['THOMPSON_SAMPLING', { prior: { alpha: 1, beta: 20 } }],
    ['LINEAR_CONTEXTUAL', { explorer: 'thompson', gammaScale: 10, regularization: 0.5 }],
    ['NEURAL_CONTEXTUAL', { explorer: 'squarecb' }],
  ];
  for (const [algorithm, config] of cases) {
    t.doesNotThrow(() => checkAlgorithmConfig(algorithm, config), `${algorithm} ${JSON.stringify(config)}`);
  }
  t.end();
});

t.test('the rest is refused with the field, the value and all that is allowed', (t) => {
  const cases: readonly [...Case, RegExp][] = [
    ['UCB1', { epsilon: 0.1 }, /has no option "epsilon".*UCB1 takes \{.*variant: "ucb1" or "tuned" or "kl"/],
    ['EPSILON_GREEDY', { epsilon: 1.5 }, /algorithmConfig\.epsilon must be a number from 0 to 1, got 1\.5/],
    ['EPSILON_GREEDY', { epsilon: '0.1' }, /epsilon must be a number from 0 to 1, got "0\.1"/],
    ['EPSILON_GREEDY', { epsilon: null }, /got null/],
    ['EPSILON_GREEDY', { decay: 0 }, /decay must be a number above 0/],
    ['THOMPSON_SAMPLING', { prior: { alpha: 1 } }, /prior\.beta is required/],
    ['THOMPSON_SAMPLING', { prior: { alpha: 1, beta: 1, gamma: 1 } }, /prior has no option "gamma"/],
    ['THOMPSON_SAMPLING', { prior: 3 }, /prior must be an object, got 3/],
    ['THOMPSON_SAMPLING', { reward: 'Binary' }, /reward must be "binary" or "numeric", got "Binary"/],
    [
      'THOMPSON_SAMPLING',
      { attributionWindow: 1.5 },
      /attributionWindow must be an integer from 0 to 2592000/,
    ],
    ['THOMPSON_SAMPLING', { attributionWindow: 2_592_001 }, /got 2592001/],
    ['UCB1', { valueRange: [1, 1] }, /valueRange must be \[low, high\]/],
    ['UCB1', { valueRange: [2, 1] }, /low < high/],
    ['UCB1', { valueRange: [1] }, /valueRange must be \[a number/],
    ['UCB1', { valueRange: [1, 2, 3] }, /valueRange must be/],
    ['LINEAR_CONTEXTUAL', { discount: 0.99 }, /has no option "discount"/],
    ['NEURAL_CONTEXTUAL', { gammaScale: -1 }, /gammaScale must be a number above 0/],
    ['UCB1', { constructor: 1 }, /has no option "constructor"/],
  ];
  for (const [algorithm, config, message] of cases) {
    t.throws(() => checkAlgorithmConfig(algorithm, config), { code: 'VALIDATION_ERROR', message });
  }
  t.end();
});

t.test('status moves along the table and nowhere else', (t) => {
  const statuses = ['draft', 'active', 'paused', 'completed', 'archived'] as const;
  const allowed = new Set([
    'draft active',
    'active paused',
    'paused active',
    'active completed',
    'paused completed',
    ...statuses.map((from) => `${from} archived`),
    ...statuses.map((same) => `${same} ${same}`),
  ]);
  for (const from of statuses) {
    for (const to of statuses) {
      const move = () => checkTransition(from, to);
      if (allowed.has(`${from} ${to}`)) t.doesNotThrow(move, `${from} -> ${to}`);
      else t.throws(move, { code: 'INVALID_TRANSITION' }, `${from} -> ${to}`);
    }
  }
  t.end();
});

t.test('content keeps the rules of its type', (t) => {
  const check = (type: Parameters<typeof checkTreatment>[0], content: string) => () =>
    checkTreatment(type, { name: 'n', config: { content } }, 'treatment');
  for (const content of ['{"a":1}', '[1]', '"text"', 'null', ' 5 '])
    t.doesNotThrow(check('JSON', content), content);
  for (const content of ['', '{a:1}', '{"a":1', 'undefined', '5 6']) {
    t.throws(check('JSON', content), { code: 'VALIDATION_ERROR' }, content);
  }
  for (const content of ['http://a.example/b.png', 'HTTPS://a.example']) {
    t.doesNotThrow(check('IMAGE_URL', content), content);
  }
  const notUrls = [
    '',
    'a.png',
    '//a.example/b.png',
    'ftp://a.example',
    'javascript:alert(1)',
    'http://',
    'data:,x',
    'https://a b',
  ];
  for (const content of notUrls) t.throws(check('IMAGE_URL', content), { code: 'VALIDATION_ERROR' }, content);
  for (const type of ['PLAIN_TEXT', 'HTML', 'MARKDOWN'] as const) t.doesNotThrow(check(type, ''), type);
  const metadata = { text: 'x'.repeat(16_384) };
  t.throws(() => checkTreatment('HTML', { name: 'n', config: { content: '', metadata } }, 'treatment'), {
    code: 'VALIDATION_ERROR',
    message: /metadata is 16395 bytes/, // {"text":"…"} adds 11
  });
  t.end();
});
