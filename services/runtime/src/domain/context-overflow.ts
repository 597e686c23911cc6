/** How endpoints say that a request is longer than their window. Each line is the wording of at least one server that people run. */
const TOO_LONG: readonly RegExp[] = [
  /context[_ ]length[_ ]exceeded|context_window_exceeded|exceed_context_size|string_above_max_length/i,
  /maximum (?:context|prompt|sequence) length/i,
  /prompt is too long|input (?:is|was) too long|prompt too long|request is too long/i,
  /(?:exceed|over|larger|longer|greater)\w*\b.{0,60}\b(?:context|token limit|maximum number of (?:input )?tokens)/is,
  /context (?:window|length|size)\b.{0,60}\b(?:exceed|overflow|too (?:long|large|small)|full)/is,
  /too many (?:input )?tokens|too large for model|input token count/i,
  /reduce the length of (?:the|your) (?:messages|prompt|input)/i,
  /context (?:the )?overflows/i,
];

/** Where they name the limit; the figure is the first group. */
const LIMITS: readonly RegExp[] = [
  /maximum (?:context|prompt|sequence) length (?:is|of|:)?\s*(?:only )?([\d,_]+)/i,
  /([\d,_]+)(?: tokens?)? maximum context length/i,
  /tokens? > ([\d,_]+)/i,
  /maximum number of (?:input )?tokens allowed[^\d]{0,20}([\d,_]+)/i,
  /context (?:window|length|size)(?: \w+){0,3}[ (:=]+([\d,_]+)/i,
  /n_ctx"?\s*[:=]\s*([\d,_]+)/i,
  /cannot exceed ([\d,_]+)/i,
  /(?:token limit|limit of|maximum of)[^\d]{0,12}([\d,_]+)/i,
];

const LEAST_LIMIT = 256;
const MOST_LIMIT = 100_000_000;

/** True when a message, code or type of an error says that the request does not fit into the model's window. */
export function saysTooLong(text: string): boolean {
  return TOO_LONG.some((pattern) => pattern.test(text));
}

/** The limit in tokens that such a message names; undefined when it names none that can be one. */
export function limitNamedIn(text: string): number | undefined {
  for (const pattern of LIMITS) {
    const tokens = Number(pattern.exec(text)?.[1]?.replace(/[,_]/g, ''));
    if (tokens >= LEAST_LIMIT && tokens <= MOST_LIMIT) return tokens;
  }
  return undefined;
}
