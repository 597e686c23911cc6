import { z } from 'zod';

/** Ids that become subject tokens and parts of session keys, hence lower case. */
export const ID_PATTERN = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const RULE = '[a-z0-9][a-z0-9_-]{0,63}';

export const AgentId = z.string().regex(ID_PATTERN, { error: `an agent id must be ${RULE}` });
export const AdapterId = z.string().regex(ID_PATTERN, { error: `a channel id must be ${RULE}` });
export const AccountId = z.string().regex(ID_PATTERN, { error: `an account id must be ${RULE}` });
export const ProviderId = z.string().regex(ID_PATTERN, { error: `a provider id must be ${RULE}` });
export const PluginId = z.string().regex(ID_PATTERN, { error: `a plugin id must be ${RULE}` });

/** A text of at least one character. */
export const Text = (maximum: number) => z.string().min(1).max(maximum);

/** A text that may be empty or absent; empty counts as absent. */
export const OptionalText = (maximum: number) => z.string().max(maximum).optional();

/** A list of names: tools, users, skills. */
export const Names = (maximum: number) => z.array(Text(256)).max(maximum);

/** A duration in milliseconds; 0 is legal and its meaning is the field's. */
export const Milliseconds = z
  .number()
  .int()
  .min(0)
  .max(366 * 86_400_000);
