/** Example values of the generated API description, one of each shape. */
const createdAt = '2026-01-15T10:00:00.000Z';

export const treatmentExample = {
  id: 'trt_def456',
  experimentId: 'exp_abc123',
  name: 'Urgency',
  description: null,
  config: { content: 'Limited time offer - start free today!' },
  weight: 1,
  isControl: false,
  createdAt,
};

export const experimentExample = {
  id: 'exp_abc123',
  name: 'Homepage Headline Test',
  description: 'Test different headlines on the landing page',
  algorithm: 'THOMPSON_SAMPLING',
  algorithmConfig: {},
  contentType: 'PLAIN_TEXT',
  status: 'draft',
  assignmentTtl: 86_400,
  endAt: null,
  createdAt,
  updatedAt: createdAt,
  treatments: [treatmentExample],
};

export const funnelExample = {
  id: 'fnl_abc123',
  name: 'Onboarding Flow',
  description: 'Test headline → CTA → pricing across the onboarding funnel',
  experimentIds: ['exp_headline', 'exp_cta', 'exp_pricing'],
  status: 'draft',
  createdAt,
  updatedAt: createdAt,
};

export const memberExample = { id: 'mbr_abc123', email: 'ada@example.com', role: 'member', createdAt };

export const erasureReceiptExample = {
  subject: '5f0c9c3d8be1f3c6a1b3ce0f4f2d6f1a0e0f7c5a9d1e4b2c8a7f6e5d4c3b2a19',
  erasedAt: createdAt,
  erased: { assignments: 3, currentAssignments: 2, events: 5, eventKeys: 1, funnelRewards: 1 },
  remains: [
    { where: 'EVENTS stream', what: 'events that were published before', until: '2026-01-22T10:00:00.000Z' },
    { where: 'backups', what: 'whatever was there when they were made', until: null },
  ],
};

export const apiKeyExample = {
  id: 'key_abc123',
  name: 'Web shop',
  prefix: 'bk_live_4fGh2kLm',
  scopes: ['assign', 'events'],
  createdAt,
  expiresAt: null,
};
