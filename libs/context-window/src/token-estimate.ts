import type { ContextMessage } from './message.js';

/** Latin characters that one token stands for on average. */
export const CHARS_PER_TOKEN = 4;
/** What a message costs beside its words: role and separators. */
export const MESSAGE_OVERHEAD_TOKENS = 4;
/** What a picture counts, in characters. */
export const IMAGE_CHARS = 8_000;
/** An estimate may be too low by this factor; limits that must hold are compared with the product. */
export const SAFETY_FACTOR = 1.2;

/** Scripts in which a character is about a token, and symbols that take two: they are worth that many Latin characters. */
const WHOLE_TOKEN = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}\p{sc=Khmer}\p{sc=Lao}\p{sc=Myanmar}]/u;

/**
 * Tokens of a text, estimated from its characters; 0 for the empty text. Never below a quarter of the text's length, and additive: the
 * parts of a text together never count less than the whole. Latin letters count a quarter, other alphabets a half, ideographs and
 * syllables one, characters outside the basic plane (emoji) two.
 */
export function estimateTokens(text: string): number {
  if (isLatin(text)) return Math.ceil(text.length / CHARS_PER_TOKEN);
  let quarters = 0;
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (code < 0x250) quarters += 1;
    else if (code > 0xffff) quarters += 8;
    else quarters += WHOLE_TOKEN.test(character) || code >= 0x3000 ? 4 : 2;
  }
  return Math.ceil(quarters / CHARS_PER_TOKEN);
}

/** Tokens of one message of a conversation, with its tool calls and pictures. */
export function estimateMessageTokens(message: Pick<ContextMessage, 'text' | 'images' | 'toolCalls'>): number {
  const calls = (message.toolCalls ?? []).reduce(
    (sum, call) => sum + estimateTokens(call.name) + estimateTokens(call.arguments ?? '') + MESSAGE_OVERHEAD_TOKENS,
    0,
  );
  return estimateTokens(message.text) + calls + Math.ceil(((message.images ?? 0) * IMAGE_CHARS) / CHARS_PER_TOKEN) + MESSAGE_OVERHEAD_TOKENS;
}

/** Tokens of several messages. */
export function estimateHistoryTokens(messages: readonly Pick<ContextMessage, 'text' | 'images' | 'toolCalls'>[]): number {
  return messages.reduce((sum, message) => sum + estimateMessageTokens(message), 0);
}

/** Characters as pruning counts them: the length of text and arguments, 8 000 a picture. */
export function charsOf(message: Pick<ContextMessage, 'text' | 'images' | 'toolCalls'>): number {
  const calls = (message.toolCalls ?? []).reduce((sum, call) => sum + call.name.length + (call.arguments?.length ?? 0), 0);
  return message.text.length + calls + (message.images ?? 0) * IMAGE_CHARS;
}

function isLatin(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if (text.charCodeAt(index) >= 0x250) return false;
  return true;
}
