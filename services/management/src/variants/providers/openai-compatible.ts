import {
  type AnswerShape,
  answerJsonSchema,
  fieldOf,
  joinUrl,
  type ProviderSettings,
  type VariantProvider,
} from './variant-provider.ts';

/**
 * Any server that speaks OpenAI's chat completions (OpenAI, Ollama, vLLM, LM Studio, llama.cpp …). Structured by
 * `response_format: json_schema`; the fallback leaves that out and relies on the prompt. No sampling parameters: some
 * models refuse them.
 *
 * @param settings `baseUrl` as these servers document it, such as https://api.openai.com/v1
 */
export function openaiCompatible(settings: ProviderSettings): VariantProvider {
  const { apiKey, baseUrl, model } = settings;
  return {
    name: 'openai-compatible',
    model,
    url: joinUrl(baseUrl, 'chat/completions'),
    headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
    body: (prompt, shape) => ({
      model,
      stream: false,
      messages: [
        { role: 'system', content: prompt.system },
        { role: 'user', content: prompt.user },
      ],
      ...responseFormat(shape),
    }),
    findAnswer(response) {
      const choices = fieldOf(response, 'choices');
      const first: unknown = Array.isArray(choices) ? choices[0] : undefined;
      // Cut off by the token limit or the content filter: whatever stands there is not the whole answer.
      if (['length', 'content_filter'].includes(String(fieldOf(first, 'finish_reason')))) return undefined;
      return fieldOf(fieldOf(first, 'message'), 'content') ?? undefined;
    },
  };
}

function responseFormat(shape: AnswerShape): object {
  if (shape === 'fallback') return {};
  return {
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'variant', strict: true, schema: answerJsonSchema },
    },
  };
}
