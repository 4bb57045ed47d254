import {
  type AnswerShape,
  answerJsonSchema,
  fieldOf,
  joinUrl,
  type ProviderSettings,
  type VariantProvider,
} from './variant-provider.ts';

/** Required by the API. Within 20 seconds no model writes more; older models allow no more. */
const tokensMax = 4_096;
const toolName = 'submit_variant';

/**
 * Anthropic's Messages API. Structured by `output_config.format`; the fallback, for models from before that, is a tool
 * that the model is made to call with the answer as its input.
 *
 * @param settings `baseUrl` without the version, such as https://api.anthropic.com
 */
export function anthropic(settings: ProviderSettings): VariantProvider {
  const { apiKey, baseUrl, model } = settings;
  return {
    name: 'anthropic',
    model,
    url: joinUrl(baseUrl.replace(/\/v1\/*$/, ''), 'v1/messages'),
    headers: {
      'anthropic-version': '2023-06-01',
      ...(apiKey === undefined ? {} : { 'x-api-key': apiKey }),
    },
    body: (prompt, shape) => ({
      model,
      max_tokens: tokensMax,
      system: prompt.system,
      messages: [{ role: 'user', content: prompt.user }],
      ...outputFormat(shape),
    }),
    findAnswer(response) {
      // Cut off or declined: whatever stands there is not the whole answer.
      if (['max_tokens', 'refusal'].includes(String(fieldOf(response, 'stop_reason')))) return undefined;
      const content = fieldOf(response, 'content');
      const blocks: readonly unknown[] = Array.isArray(content) ? content : [];
      const call = blocks.find((block) => fieldOf(block, 'type') === 'tool_use');
      if (call !== undefined) return fieldOf(call, 'input');
      const texts = blocks.filter((block) => fieldOf(block, 'type') === 'text');
      return texts.length > 0 ? texts.map((block) => fieldOf(block, 'text')).join('') : undefined;
    },
  };
}

function outputFormat(shape: AnswerShape): object {
  if (shape === 'structured') {
    return { output_config: { format: { type: 'json_schema', schema: answerJsonSchema } } };
  }
  return {
    tools: [{ name: toolName, description: 'Submits the new variant.', input_schema: answerJsonSchema }],
    tool_choice: { type: 'tool', name: toolName, disable_parallel_tool_use: true },
  };
}
