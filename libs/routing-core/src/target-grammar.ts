import { PlexusError } from '@plexus/kernel';
import type { Loose } from './normalise.js';
import type { RoutingConfig } from './routing-config.js';
import type { PeerKind } from './session-key.js';

/** What a directory lookup said about a target, where one was made. */
export interface ResolvedTarget {
  readonly to: string;
  readonly kind: 'user' | 'group' | 'channel' | (string & {});
  readonly source?: string | undefined;
}

/** A target as a grammar sees it. */
export interface TargetRequest {
  /** Trimmed, never blank, in the letter case of the caller. */
  readonly target: string;
  readonly channel: string;
  readonly accountId?: Loose;
  readonly threadId?: Loose;
  readonly replyToId?: Loose;
  readonly resolvedTarget?: ResolvedTarget | undefined;
  readonly config: RoutingConfig;
}

/** Whom a target means. Ids and addresses keep the caller's letter case; only keys are lower case. */
export interface ParsedTarget {
  readonly kind: PeerKind;
  readonly peerId: string;
  /** How a message from that conversation would name its origin. */
  readonly from: string;
  /** Where the channel delivers to. */
  readonly to: string;
  /** Where it differs from the kind: Slack's group conversations are channels to people. */
  readonly chatType?: 'direct' | 'group' | 'channel';
  /** Thread of the envelope. */
  readonly threadId?: string | number | undefined;
  /** Thread that becomes a `:thread:` suffix of the session key. */
  readonly threadSuffix?: string | undefined;
}

/** How one channel writes its targets. A channel plugin registers one in a {@link TargetGrammarRegistry}. */
export interface TargetGrammar {
  /** Lower-case channel id. */
  readonly channel: string;
  /** Reads a target; undefined when it names nobody. Throws {@link malformedTarget} for one that could be meant differently. */
  parse(request: TargetRequest): ParsedTarget | undefined;
  /** The form in which a target is handed to the channel and compared; absent: trimmed text. */
  normalise?(target: string): string | undefined;
}

/** An INVALID_REQUEST whose details name channel, target and what to write instead. */
export function malformedTarget(channel: string, target: string, message: string, hint: string): PlexusError {
  return new PlexusError({ code: 'INVALID_REQUEST', status: 400, message: `${message} ${hint}`, details: { channel, target: target.slice(0, 200), hint } });
}

/** Removes one of the prefixes, in any letter case, and the blanks around the rest. */
export function withoutPrefix(text: string, ...prefixes: readonly string[]): string {
  const lower = text.toLowerCase();
  const prefix = prefixes.find((candidate) => lower.startsWith(candidate));
  return prefix === undefined ? text : text.slice(prefix.length).trim();
}

/** Removes the prefixes as often as they stand there. */
export function withoutPrefixes(text: string, ...prefixes: readonly string[]): string {
  for (let rest = text; ; ) {
    const shorter = withoutPrefix(rest, ...prefixes);
    if (shorter === rest) return rest;
    rest = shorter;
  }
}

/** True when the text starts with the prefix in any letter case. */
export const hasPrefix = (text: string, prefix: string): boolean => text.toLowerCase().startsWith(prefix);

/** Removes one word that says what kind of conversation follows. */
export const withoutKind = (text: string): string => text.replace(/^(?:user|channel|group|conversation|room|dm):/i, '').trim();

/** `+` and the digits of a phone number; undefined when there are none. */
export function phoneNumber(text: string): string | undefined {
  const digits = text.replace(/\D+/g, '');
  return digits === '' ? undefined : `+${digits}`;
}
