import type { Decision, ReasonCode, TraceStep } from '../engine/types.js';

/** What an explanation is made from: the decisions about one event and one user, oldest first. */
export type ToldDecision = Pick<Decision, 'verdict' | 'terminal' | 'trace' | 'at'> &
  Partial<Pick<Decision, 'until' | 'deliveryId'>> & { readonly reason: string; readonly policyVersion: number };

export interface Blocking {
  readonly stage: string;
  readonly rule: string;
  readonly version?: number;
  readonly sentence: string;
}

export interface Explained {
  readonly outcome: 'sent' | 'inbox' | 'suppressed' | 'dropped' | 'deferred';
  readonly sentence: string;
  /** The first stage that did not let it pass, and what would have to change. Absent when it was sent at once. */
  readonly toBeSent?: Blocking;
}

/** September 2001 in milliseconds: no count is that large, and no moment of a decision is before it. */
const EARLIEST_MOMENT = 1_000_000_000_000;

interface Wording {
  /** Completes "It was not sent: …". */
  readonly because: string;
  /** What would have to change for it to be sent (at once). */
  readonly unless: string;
}

/** One entry for each reason code: the compiler misses none. */
const WORDS: Readonly<Record<ReasonCode, Wording>> = {
  duplicate_event: {
    because: 'the same event (source and id) was seen for this user before',
    unless: 'Publish it under another id if it is another event; the first one was decided by itself.',
  },
  expired: { because: 'it had expired', unless: 'It would have to be published, or leave what held it back, before its `expiresat`.' },
  not_authorized: {
    because: 'the user may not see its case or topic',
    unless: 'The user needs a grant for that case or topic, or the scope must not be restricted.',
  },
  opted_out: {
    because: 'a preference or the level of the subscription keeps it out',
    unless: 'The preference that decides, or the subscription’s level or lowest severity, would have to let it through; or a policy makes it mandatory.',
  },
  muted: { because: 'the subscription is muted', unless: 'The subscription would have to be unmuted, or its mute run out.' },
  resolved_before_send: { because: 'it was resolved before anything was sent', unless: 'It would have to be still firing when what held it back ends.' },
  resolve_without_firing: { because: 'it resolves something of which nothing was sent', unless: 'A firing event of the same key would have to be sent first.' },
  resolved: { because: 'it resolves an item that was sent, which now says so', unless: 'Nothing: the item in the inbox was changed instead.' },
  silenced: { because: 'a silence covers it', unless: 'The silence would have to end, or spare it (critical events only fall under it when it says so).' },
  inhibited: {
    because: 'an active event of higher rank inhibits it',
    unless: 'The inhibiting event would have to be resolved, or differ in one of the labels that must be equal.',
  },
  inhibit_hold: { because: 'it waits a moment for an event that may inhibit it', unless: 'Nothing: it goes on when the hold ends.' },
  collapsed: {
    because: 'the same key was sent a moment ago; the open item counts it',
    unless: 'It would have to come after the policy’s collapse time, be of higher severity, or have another `dedupkey`.',
  },
  low_value: {
    because: 'its score is below the policy’s floor, or its priority is P3: it fills the inbox without interrupting',
    unless: 'The score would have to reach the floor, or the policy give it a higher priority.',
  },
  critical_storm: {
    because: 'too many critical events came at once; one message lists them',
    unless: 'Fewer critical events would have to come within the storm window.',
  },
  quiet: { because: 'it came in quiet hours', unless: 'It would have to come outside quiet hours, or be of a priority that passes them.' },
  group: { because: 'it waits for its group', unless: 'The policy would have to group it otherwise, or its window be over.' },
  throttled: { because: 'the limit of interruptions is used up', unless: 'Fewer interruptions would have to lie in the window of the throttle rule.' },
  source_budget: {
    because: 'the agent that caused it has used up its budget for this user and hour',
    unless: 'The agent would have to cause fewer events, or the policy allow more.',
  },
  escalated: { because: 'nobody acknowledged a critical item in time; this is its escalation', unless: 'Nothing: it was sent.' },
  sent: { because: 'nothing spoke against it', unless: 'Nothing: it was sent.' },
};

/** Reads decisions of one event and user: what became of it, and what first stood in its way. `decisions` is not empty. */
export function explainDecisions(decisions: readonly ToldDecision[]): Explained {
  const told = decisions.filter(({ reason }) => reason !== 'duplicate_event');
  const own = told.length > 0 ? told : decisions;
  const last = own.findLast(({ terminal }) => terminal) ?? own.at(-1);
  const first = own[0];
  if (last === undefined || first === undefined) throw new Error('there is no decision to explain');
  const blocker = own.find(({ verdict }) => verdict !== 'sent');
  return {
    outcome: last.verdict,
    sentence: sentenceOf(last, blocker, decisions.length - own.length),
    ...(blocker === undefined ? {} : { toBeSent: blockingOf(blocker) }),
  };
}

/** The rule that a decision names as its reason, in the trace of its own. */
export function blockingOf({ reason, trace }: Pick<ToldDecision, 'reason' | 'trace'>): Blocking {
  const step = trace.find(({ verdict }) => verdict !== 'pass') ?? trace.at(-1);
  const words = wordsFor(reason);
  return {
    stage: step?.stage ?? 'emit',
    rule: step?.rule ?? reason,
    ...(step?.version === undefined ? {} : { version: step.version }),
    sentence: `${capital(words.because)}${looked(step)}. ${words.unless}`,
  };
}

function sentenceOf(last: ToldDecision, blocker: ToldDecision | undefined, repeats: number): string {
  const again = repeats > 0 ? ` The same event came ${repeats} more time${repeats === 1 ? '' : 's'} and was recognised.` : '';
  const when = new Date(last.at).toISOString();
  if (last.verdict === 'deferred') {
    const until = last.until === undefined ? '' : ` It is looked at again at ${new Date(last.until).toISOString()}.`;
    return `Not sent yet: ${wordsFor(last.reason).because}.${until}${again}`;
  }
  if (last.verdict === 'sent') {
    const late = blocker === undefined ? '' : `, after it had waited because ${wordsFor(blocker.reason).because}`;
    return `Sent at ${when} as ${last.deliveryId ?? 'a part of a message'}${late}.${again}`;
  }
  if (last.verdict === 'inbox') return `In the inbox since ${when} without interrupting: ${wordsFor(last.reason).because}.${again}`;
  return `Not sent: ${wordsFor(last.reason).because} (decided at ${when}).${again}`;
}

function wordsFor(reason: string): Wording {
  return WORDS[reason as ReasonCode] ?? { because: `the reason is ${reason}`, unless: 'See the trace.' };
}

function looked(step: TraceStep | undefined): string {
  const entries = Object.entries(step?.input ?? {});
  return entries.length === 0 ? '' : ` (${entries.map(([name, value]) => `${name} ${readable(value)}`).join(', ')})`;
}

/** Moments are numbers in traces; people read dates. */
function readable(value: string | number | boolean): string {
  return typeof value === 'number' && value >= EARLIEST_MOMENT ? new Date(value).toISOString() : String(value);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
