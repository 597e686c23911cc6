import { z } from 'zod';

const Content = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  data: z.string().optional(),
  mimeType: z.string().optional(),
  uri: z.string().optional(),
  resource: z.looseObject({ uri: z.string().optional(), text: z.string().optional() }).optional(),
});
const CallResult = z.looseObject({ content: z.array(Content).default([]), structuredContent: z.unknown().optional(), isError: z.boolean().optional() });

const MAX_TEXT = 200_000;

/** What the model reads of the answer to `tools/call`. What is no text is named, not shown. */
export function mcpResultText(answer: unknown): { readonly content: string; readonly isError?: boolean } {
  const parsed = CallResult.safeParse(answer);
  if (!parsed.success) return { content: 'The server answered with something that is no result of a tool.', isError: true };
  const { content, structuredContent, isError } = parsed.data;
  const text = content.map(partText).join('\n') || (structuredContent === undefined ? '(no output)' : JSON.stringify(structuredContent));
  return { content: text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}\n[cut after ${MAX_TEXT} characters]` : text, ...(isError && { isError }) };
}

function partText(part: z.infer<typeof Content>): string {
  if (part.type === 'text') return part.text ?? '';
  if (part.type === 'resource') return part.resource?.text ?? `[resource ${part.resource?.uri ?? ''}]`;
  if (part.type === 'resource_link') return `[resource ${part.uri ?? ''}]`;
  return `[${part.type}${part.mimeType === undefined ? '' : ` ${part.mimeType}`}${part.data === undefined ? '' : `, ${Math.floor((part.data.length * 3) / 4)} bytes`}]`;
}
