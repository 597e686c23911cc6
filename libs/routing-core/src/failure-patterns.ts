import type { FailureReason } from './failure-reason.js';

/** Texts by which providers say what is wrong, lower case. The first group that hits decides. */

/** Says nothing about the account or the provider: another one would refuse the same picture. */
const PICTURE = [/image exceeds [\d.]+ ?mb/, /image dimensions? exceed/, /exceeds? (?:the )?(?:max(?:imum)? )?(?:allowed )?(?:image )?dimensions?/];

const RATE_LIMIT = [
  /rate[ _]limit/,
  /too many requests/,
  /429/,
  /quota exceeded/,
  /exceeded your current quota/,
  /resource (?:has been )?exhausted/,
  /resource_exhausted/,
  /usage limit/,
  /throttl(?:ed|ing)/,
];
const OVERLOADED = [/overloaded/, /high demand/];
const FORMAT = [/string should match pattern/, /tool_use\.id/, /tool_use_id/, /invalid request format/];
const BILLING = [/\b402\b/, /payment required/, /insufficient credits/, /credit balance/, /plans & billing/, /insufficient[ _]balance/];
const BILLING_COMPANIONS = /upgrade|credits|payment|plan/;
const TIMEOUT = [
  /timeout/,
  /timed out/,
  /deadline exceeded/,
  /fetch failed/,
  /socket hang up/,
  /network error/,
  /connection (?:error|refused|reset|closed)/,
  /econn(?:refused|reset|aborted)/,
];
const AUTH_PERMANENT = [
  /api key (?:has been )?(?:revoked|disabled|deleted)/,
  /account (?:has been )?(?:deactivated|suspended|disabled)/,
  /permanently (?:banned|blocked)/,
];
const AUTH = [
  /invalid[ _-]?api[ _-]?key/,
  /incorrect api key/,
  /invalid token/,
  /authentication/,
  /re-authenticate/,
  /oauth token refresh failed/,
  /unauthorized/,
  /forbidden/,
  /access denied/,
  /expired/,
  /\b40[13]\b/,
  /no credentials found/,
  /no api key found/,
];
const MODEL_NOT_FOUND = [/model .{0,100}(?:does not exist|not found|is not available)/, /no endpoints found/, /unknown model/, /model_not_found/];
const SESSION_EXPIRED = [/session (?:not found|has expired|expired|does not exist)/, /conversation not found/];

const says = (text: string, patterns: readonly RegExp[]): boolean => patterns.some((pattern) => pattern.test(text));

/** A long text is judged by its beginning: what matters stands there, and no pattern may cost more than a moment. */
const MAX_TEXT = 8_192;
const readable = (message: string): string => message.slice(0, MAX_TEXT).toLowerCase();

/** True for words of a failure in time or on the way, which another attempt may survive. */
export const soundsLikeTimeout = (message: string): boolean => says(readable(message), TIMEOUT);
/** True for the words that a request cut off on purpose uses. */
export const soundsLikeAborted = (message: string): boolean => /request (?:was )?aborted/.test(readable(message));
export const soundsOverloaded = (message: string): boolean => says(readable(message), OVERLOADED);
export const soundsLikeSessionEnd = (message: string): boolean => says(readable(message), SESSION_EXPIRED);
/** A limit that goes away by itself, though the status speaks of money. */
export const soundsTemporary = (message: string): boolean => /usage limit|try again|temporar|resets? (?:at|in)/.test(readable(message));

/** What a message says is wrong; undefined when it says nothing that helps. */
export function classifyMessage(message: string): FailureReason | undefined {
  const text = readable(message);
  if (says(text, PICTURE)) return undefined;
  if (says(text, RATE_LIMIT)) return 'rate_limit';
  if (says(text, OVERLOADED)) return 'overloaded';
  if (says(text, BILLING) || (text.includes('billing') && BILLING_COMPANIONS.test(text))) return 'billing';
  if (says(text, FORMAT)) return 'format';
  if (says(text, MODEL_NOT_FOUND)) return 'model_not_found';
  if (says(text, AUTH_PERMANENT)) return 'auth_permanent';
  if (says(text, AUTH)) return 'auth';
  return says(text, TIMEOUT) ? 'timeout' : undefined;
}
