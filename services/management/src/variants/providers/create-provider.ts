import { anthropic } from './anthropic.ts';
import { openaiCompatible } from './openai-compatible.ts';
import type { ProviderSettings, VariantProvider } from './variant-provider.ts';

/** The operator's choice of provider (configuration `AI_PROVIDER`). */
export interface AiSettings extends ProviderSettings {
  readonly provider: 'openai' | 'anthropic';
}

export function createProvider(settings: AiSettings): VariantProvider {
  return settings.provider === 'anthropic' ? anthropic(settings) : openaiCompatible(settings);
}
