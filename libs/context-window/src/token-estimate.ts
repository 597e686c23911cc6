/** Characters that one token stands for on average. The estimate is only ever compared with limits that leave room for its error. */
export const CHARS_PER_TOKEN = 4;
/** What a message costs beside its words: role and separators. */
export const MESSAGE_OVERHEAD_TOKENS = 4;

/** Tokens of a text, estimated from its length; 0 for the empty text. */
export function estimateTokens(text: string): number {
  return Math.ceil(text.length / CHARS_PER_TOKEN);
}

/** Tokens of one message of a conversation. */
export function estimateMessageTokens(message: { readonly text: string }): number {
  return estimateTokens(message.text) + MESSAGE_OVERHEAD_TOKENS;
}
