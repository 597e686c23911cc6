import { z } from 'zod';
import { AccountId, AdapterId, Names } from './names.js';

export const DmPolicy = z.enum(['pairing', 'allowlist', 'open', 'disabled']);
export type DmPolicy = z.infer<typeof DmPolicy>;
export const GroupPolicy = z.enum(['open', 'allowlist', 'disabled']);
export type GroupPolicy = z.infer<typeof GroupPolicy>;

/** Adapters that are part of Plexus; plugins may declare more. */
export const BUILT_IN_CHANNELS: readonly string[] = ['webhook', 'telegram', 'slack', 'upstream'];

export const ChannelAccountConfig = z.strictObject({
  enabled: z.boolean().optional().meta({ description: 'A disabled account neither receives nor sends.', default: true }),
  dmPolicy: DmPolicy.optional().meta({
    description: 'Direct messages of strangers: get a code to be approved, only those of the list, everybody, nobody.',
    default: 'pairing',
  }),
  groupPolicy: GroupPolicy.optional().meta({ description: 'Messages in groups: everybody, only those of the list, nobody.', default: 'allowlist' }),
  allowFrom: Names(10_000).optional().describe('Senders of direct messages that need no approval; `*` is everybody.'),
  groupAllowFrom: Names(10_000).optional().describe('Senders that are heard in groups. Absent: `allowFrom`.'),
  settings: z
    .record(z.string().min(1).max(128), z.unknown())
    .optional()
    .describe('Settings of the adapter, checked by its own schema. Secrets only as references.'),
});
export type ChannelAccountConfig = z.infer<typeof ChannelAccountConfig>;

export const ChannelConfig = z.strictObject({
  enabled: z.boolean().optional().meta({ description: 'Switches all accounts of the channel.', default: true }),
  defaultAccount: AccountId.optional().describe('Account for messages that name none. Absent: `default` if there is one, else the first.'),
  accounts: z.record(AccountId, ChannelAccountConfig).default({}).describe('Accounts by id.'),
});
export type ChannelConfig = z.infer<typeof ChannelConfig>;

export const ChannelsConfig = z.record(AdapterId, ChannelConfig);
export type ChannelsConfig = z.infer<typeof ChannelsConfig>;
