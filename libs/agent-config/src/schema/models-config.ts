import { z } from 'zod';
import { SecretRef } from '../secrets/secret-ref.js';
import { ProviderId, Text } from './names.js';

const hasReference = /\$\{[A-Z_][A-Z0-9_]*\}/;
const isAddress = (text: string): boolean => hasReference.test(text) || (/^https?:\/\//i.test(text) && URL.canParse(text));

export const ModelRef = Text(200);

export const ModelDescription = z.strictObject({
  id: Text(200).describe('Name of the model at its provider.'),
  name: z.string().max(200).optional().describe('What people see.'),
  contextWindow: z.number().int().min(1).max(100_000_000).optional().describe('Tokens that the model can read.'),
  maxTokens: z.number().int().min(1).max(100_000_000).optional().describe('Tokens that the model can write in one answer.'),
});
export type ModelDescription = z.infer<typeof ModelDescription>;

export const ModelProvider = z.strictObject({
  baseUrl: z
    .string()
    .max(2_048)
    .refine(isAddress, { error: 'must be an http(s) address, or hold a reference' })
    .describe('OpenAI-compatible endpoint, up to and without /chat/completions.'),
  apiKey: SecretRef.optional().describe('Where its key is.'),
  models: z.array(ModelDescription).max(1_000).default([]).describe('Models it offers. Empty: any name is passed on.'),
});
export type ModelProvider = z.infer<typeof ModelProvider>;

export const ModelsConfig = z.strictObject({
  providers: z.record(ProviderId, ModelProvider).optional().describe('Model providers by id.'),
  default: ModelRef.optional().describe('`provider/model`, or a model name that one provider alone offers. Absent: the default of the runtime.'),
  fallbacks: z.array(ModelRef).max(32).optional().describe('Models to try in turn when the first fails.'),
});
export type ModelsConfig = z.infer<typeof ModelsConfig>;

/** Models of one agent, beside the one it uses. */
export const AgentModelsConfig = z.strictObject({
  fallbacks: z.array(ModelRef).max(32).optional().describe('Replaces the fallbacks of `models`; an empty list means none.'),
});
export type AgentModelsConfig = z.infer<typeof AgentModelsConfig>;
