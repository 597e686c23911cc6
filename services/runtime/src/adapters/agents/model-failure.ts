import { isTransientNetworkError, PlexusError, readErrorPayload, recogniseErrorPayload, toStorableText } from '@plexus/kernel';

/** What went wrong with a model call, in words for the person who waits. */
export interface ModelFailure {
  readonly sentence: string;
  /** Trying again soon may help. */
  readonly retryable: boolean;
  /** The endpoint's own wish, in milliseconds. */
  readonly retryAfterMs?: number;
}

interface Target {
  readonly baseUrl: string;
  readonly model: string;
  /** Its name in the configuration; absent: the environment says where it is. */
  readonly provider?: string | undefined;
  /** What it was asked with; endpoints repeat it when they refuse it. */
  readonly apiKey?: string | undefined;
}

/** Where somebody can put it right. */
const settingsOf = ({ provider }: Target) =>
  provider === undefined
    ? { key: 'PLEXUS_MODEL_API_KEY', model: 'PLEXUS_MODEL', baseUrl: 'PLEXUS_MODEL_BASE_URL' }
    : { key: `models.providers.${provider}.apiKey`, model: 'the name of the model', baseUrl: `models.providers.${provider}.baseUrl` };

const MAX_QUOTE = 300;
/** A shorter one is a word like `none`, and no secret. */
const MIN_KEY = 8;
const MAX_RETRY_AFTER_MS = 30_000;
const RETRYABLE = new Set([408, 409, 425, 429]);

type Fields = {
  statusCode?: unknown;
  responseBody?: unknown;
  responseHeaders?: Record<string, string>;
  cause?: unknown;
  message?: unknown;
  code?: unknown;
  data?: unknown;
};

/** Bounded words of an endpoint. They go to a person, to a log and to the disk, so the key is taken out first: a cut would leave a part of it. */
function wordsOf(said: string, { apiKey }: Target): string {
  const text = toStorableText(apiKey !== undefined && apiKey.length >= MIN_KEY ? said.replaceAll(apiKey, '[key]') : said);
  return text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}…` : text;
}

function quote(error: Fields, target: Target): string {
  const body = typeof error.responseBody === 'string' ? recogniseErrorPayload(error.responseBody) : readErrorPayload(error.data);
  const words = body?.message ?? body?.code ?? '';
  const text = wordsOf(words.replace(/\s+/g, ' ').trim(), target);
  return text === '' ? '' : ` It says: “${text}”`;
}

function retryAfterMs(error: Fields): number | undefined {
  const seconds = Number(error.responseHeaders?.['retry-after']);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1_000, MAX_RETRY_AFTER_MS) : undefined;
}

function networkCode(error: unknown, depth = 0): string | undefined {
  if (error === null || typeof error !== 'object' || depth > 8) return undefined;
  const { code, cause } = error as Fields;
  return typeof code === 'string' ? code : networkCode(cause, depth + 1);
}

/** Never repeats a password that somebody wrote into the address. */
function originOf(baseUrl: string): string {
  return URL.canParse(baseUrl) ? new URL(baseUrl).origin : 'the configured address';
}

function forStatus(status: number, where: string, target: Target, said: string): string {
  switch (status) {
    case 401:
    case 403:
      return `The model endpoint ${where} refuses the key (${status}). Check ${settingsOf(target).key}.${said}`;
    case 402:
      return `The model endpoint ${where} wants to be paid first (402).${said}`;
    case 404:
      return `The model endpoint ${where} does not know this path or the model “${target.model}” (404). Check ${settingsOf(target).model}, and that ${settingsOf(target).baseUrl} ends where /chat/completions begins, usually in /v1.${said}`;
    case 429:
      return `The model endpoint ${where} has too much to do or a limit is used up (429). Try again in a moment.${said}`;
    default:
      return status >= 500
        ? `The model endpoint ${where} failed (${status}). Try again in a moment.${said}`
        : `The model endpoint ${where} refuses the request (${status}).${said}`;
  }
}

/** Reads any error of a model call. */
export function readModelFailure(error: unknown, target: Target): ModelFailure {
  const where = originOf(target.baseUrl);
  const fields: Fields = error !== null && typeof error === 'object' ? (error as Fields) : {};
  if (!/^https?:\/\//.test(target.baseUrl) || !URL.canParse(target.baseUrl)) {
    return { sentence: `${settingsOf(target).baseUrl} is not an http or https address, so no model can be asked.`, retryable: false };
  }
  if (PlexusError.isPlexusError(error) && error.code === 'TIMEOUT') {
    return { sentence: `The model endpoint ${where} accepted the request and then said nothing for ${error.details?.timeoutMs} ms.`, retryable: true };
  }
  // An error object is the client library's own; only what the endpoint sent is quoted.
  const payload = (error instanceof Error ? undefined : readErrorPayload(error)) ?? (typeof error === 'string' ? recogniseErrorPayload(error) : undefined);
  const status = typeof fields.statusCode === 'number' ? fields.statusCode : payload?.status;
  if (status !== undefined && status >= 400) {
    const said = quote(fields, target) || (payload?.message ? ` It says: “${wordsOf(payload.message, target)}”` : '');
    return { sentence: forStatus(status, where, target, said), retryable: RETRYABLE.has(status) || status >= 500, retryAfterMs: retryAfterMs(fields) };
  }
  const code = networkCode(error);
  if (code === 'ECONNREFUSED') return { sentence: `Nothing answers at ${where} (connection refused). Is the model server running?`, retryable: true };
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return { sentence: `The name in ${settingsOf(target).baseUrl} (${where}) cannot be resolved (${code}).`, retryable: code === 'EAI_AGAIN' };
  if (isTransientNetworkError(error) || code !== undefined)
    return { sentence: `The connection to the model endpoint ${where} broke${code ? ` (${code})` : ''}.`, retryable: true };
  if (payload?.message)
    return {
      sentence: `The model endpoint ${where} ended its answer with an error. It says: “${wordsOf(payload.message, target)}”`,
      retryable: true,
    };
  return { sentence: `The model endpoint ${where} gave an answer that cannot be understood. Is it an OpenAI-compatible endpoint?`, retryable: false };
}
