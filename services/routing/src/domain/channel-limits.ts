import { channelContracts, plexusError } from '@plexus/contracts';
import { toStorableText } from '@plexus/kernel';

/** Characters that the command of a channel takes. */
const MAX_CHARACTERS = 200_000;
const CUT_MARK = '\n\n[cut: the answer was longer than a channel takes]';

/** Why no command could carry this; undefined when one can. */
export function misfit(command: unknown): string | undefined {
  const checked = channelContracts.ChannelSend.safeParse(command);
  const [issue] = checked.error?.issues ?? [];
  return issue && `${issue.path.join('.')}: ${issue.message}`;
}

/** Throws INVALID_REQUEST for what no adapter could ever be handed. */
export function requireFit(command: unknown): void {
  const problem = misfit(command);
  if (problem !== undefined) throw plexusError('INVALID_REQUEST', { message: `The message does not fit a channel: ${problem}` });
}

/** An answer as channels take it: what is too long is cut and says so. The transcript keeps the whole. */
export function toChannelText(answer: string): string {
  if (answer.length <= MAX_CHARACTERS) return answer;
  // The cut may fall between the halves of a character.
  return toStorableText(answer.slice(0, MAX_CHARACTERS - CUT_MARK.length)) + CUT_MARK;
}
