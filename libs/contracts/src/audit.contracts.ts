import { z } from 'zod';
import { Instant } from './common.js';
import { type Contract, defineEvent } from './define.js';

const Value = z.union([z.string().max(256), z.number(), z.boolean(), z.array(z.union([z.string().max(256), z.number()])).max(100)]);

export const auditRecorded = defineEvent({
  domain: 'audit',
  name: 'recorded',
  version: 1,
  key: ['action'],
  summary:
    'Somebody did something that administrators answer for: who, what, with what, and how it ended. Names and numbers only, never contents or secrets. Kept for a year.',
  data: z.object({
    at: Instant,
    action: z.string().max(128).describe('`<domain>.<name>` of the question that was asked, or `dlq.drop` and the like of a command.'),
    actor: z.object({
      user: z.string().max(256).optional(),
      role: z.string().max(32),
      credentialId: z.string().max(256),
      source: z.string().max(64).optional(),
    }),
    target: z.record(z.string().max(64), Value).describe('The fields of the question that say what it was about.'),
    outcome: z.enum(['done', 'refused']),
    code: z.string().max(64).optional().describe('Why it was refused.'),
    service: z.string().max(64).describe('Who wrote this down.'),
  }),
  examples: [
    {
      at: '2026-11-21T10:00:00Z',
      action: 'config.rollback',
      actor: { user: 'ada', role: 'operator', credentialId: 'ada-laptop' },
      target: { revision: 11 },
      outcome: 'done',
      service: 'routing',
    },
  ],
});

/**
 * What is written down, by `<domain>.<name>`, with the fields that say what it was about. A field that is not named here is never written:
 * contents, secrets and comments stay out by being absent.
 */
export const AUDITED: Readonly<Record<string, readonly string[]>> = {
  'config.apply': ['baseHash', 'baseRevision'],
  'config.patch': ['baseHash'],
  'config.rollback': ['revision'],
  'routing.erase-user': ['user'],
  'routing.share-session': ['sessionKey', 'grantee', 'access'],
  'routing.unshare-session': ['sessionKey', 'grantee'],
  'routing.delete-session': ['sessionKey'],
  'routing.export-session': ['sessionKey', 'owner'],
  'routing.migrate-session-keys': ['dryRun'],
  'routing.import-session': ['sessionKey', 'agentId', 'dryRun'],
  'routing.inject': ['sessionKey'],
  'routing.reset-session': ['sessionKey'],
  'routing.get-dead-letter': ['seq'],
  'routing.approve-pairing': ['channel'],
  'routing.reject-pairing': ['channel'],
  'routing.redrive-dead-letters': ['seqs'],
  'routing.drop-dead-letters': ['seqs'],
  'push.put-policy': ['version'],
  'push.activate-policy': ['version'],
  'push.retire-policy': ['version'],
  'push.rollback-policy': ['version'],
  'push.grant-access': ['user', 'scopeKind', 'scopeRef'],
  'push.revoke-access': ['user', 'scopeKind', 'scopeRef'],
  'push.restrict-scope': ['scopeKind', 'scopeRef', 'restricted'],
  'push.import-subscriptions': ['check'],
  'push.save-dispatch-rule': ['id', 'owner', 'enabled'],
  'push.update-dispatch-rule': ['id', 'owner', 'enabled'],
  'push.remove-dispatch-rule': ['id'],
  'push.replay-policy': ['version', 'users'],
  'memory.export': ['user', 'scope'],
  'memory.import': [],
  'memory.purge': ['user', 'scope'],
  'vm.terminate': ['vmId'],
  'vm.pause': ['vmId'],
  'vm.resume': ['vmId'],
  'vm.drain': ['vmId', 'cancel'],
  'vm.drain-host': ['hostId'],
  'vm.attach-external': ['scope', 'template'],
  'vm.put-secret': ['name'],
  'vm.delete-secret': ['name'],
  'skill.upload': [],
  'skill.delete': ['id', 'version'],
};

/** Why a question that changes something, or shows what is somebody else's, is not written down. */
const OWN = 'of the caller, or of the session, VM or memory of the caller; the row itself says who';
const LOOK = 'only looks';
const MACHINERY = 'asked by services of the mesh in the course of something that is known by its run, VM or event';

/**
 * The decision about every other question. One that is in neither table fails the specs: whoever adds a question says here whether an administrator
 * answers for it.
 */
export const NOT_AUDITED: Readonly<Record<string, string>> = {
  ...reason(LOOK, 'config', ['check', 'diff', 'get', 'history', 'status']),
  ...reason(MACHINERY, 'mcp', ['call', 'tools']),
  ...reason(LOOK, 'memory', ['check-receipt', 'get', 'list', 'search', 'session-messages', 'similarity', 'state-get', 'state-list', 'stats']),
  ...reason(OWN, 'memory', ['delete', 'update', 'write']),
  ...reason(MACHINERY, 'memory', ['session-append', 'session-compact', 'session-flush', 'state-append', 'state-delete', 'state-put']),
  ...reason(LOOK, 'push', [
    ...['diff-policies', 'dispatch-runs', 'dispatch-status', 'explain', 'get-policy', 'get-preferences', 'get-replay', 'get-subscription', 'inbox-fetch'],
    ...['inbox-heads', 'list-access', 'list-attempts', 'list-contacts', 'list-dispatch-rules', 'list-policies', 'list-schedules', 'list-silences'],
    ...['list-subscriptions', 'schedule-runs', 'stats', 'test-policy'],
  ]),
  ...reason(OWN, 'push', [
    ...[
      'add-contact',
      'create-schedule',
      'create-silence',
      'dispatch-and-notify',
      'dispatch-research',
      'expire-silence',
      'feedback',
      'inbox-ack',
      'inbox-mark',
    ],
    ...['notify-user', 'remove-contact', 'remove-schedule', 'remove-silence', 'run-schedule', 'send-contact-code', 'set-preferences', 'set-quiet-hours'],
    ...['subscribe', 'unsubscribe', 'update-schedule', 'update-silence', 'update-subscription', 'verify-contact'],
  ]),
  'push.cancel-replay': 'ends a search whose beginning is written down; nothing else changes',
  ...reason(LOOK, 'routing', [
    ...['channel-health', 'describe-session', 'explain', 'get-erasure', 'get-run', 'get-send', 'history', 'list-agents', 'list-dead-letters', 'list-grants'],
    ...['list-pairings', 'list-sessions', 'preview-sessions', 'read-attachment', 'resolve', 'session-access', 'session-for-user'],
  ]),
  ...reason(OWN, 'routing', ['accept-message', 'cancel-run', 'create-session', 'patch-session', 'send', 'store-attachment']),
  ...reason(MACHINERY, 'routing', ['resolve-outbound']),
  ...reason(LOOK, 'skill', ['get', 'list', 'package']),
  ...reason(LOOK, 'vm', ['get', 'history', 'list', 'list-hosts', 'list-secrets', 'logs', 'usage', 'why']),
  ...reason(OWN, 'vm', ['ensure', 'touch']),
  ...reason(MACHINERY, 'vm', [
    ...['attach', 'beat', 'detach', 'end-session', 'frame', 'inbox-mark', 'outbox-ack', 'outbox-read', 'redeem-ticket', 'refresh-token', 'verify-token'],
  ]),
};

function reason(why: string, domain: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [`${domain}.${name}`, why]));
}

/** The fields of an audited question that say what it was about; undefined: it is not written down. */
export function auditedFields(contract: Pick<Contract, 'domain' | 'name'>): readonly string[] | undefined {
  const name = `${contract.domain}.${contract.name}`;
  return Object.hasOwn(AUDITED, name) ? AUDITED[name] : undefined;
}

/** The named fields of an input, where they are names and numbers. Longer texts are cut. */
export function auditTarget(data: unknown, fields: readonly string[]): z.output<typeof auditRecorded.data>['target'] {
  const given = (typeof data === 'object' && data !== null ? data : {}) as Readonly<Record<string, unknown>>;
  const target: Record<string, z.output<typeof Value>> = {};
  for (const field of fields) {
    const value = typeof given[field] === 'string' ? given[field].slice(0, 256) : given[field];
    // A scope `{kind, id}` is a name in two parts.
    const { kind, id } = (typeof value === 'object' && value !== null ? value : {}) as { kind?: unknown; id?: unknown };
    const parsed = Value.safeParse(typeof kind === 'string' && typeof id === 'string' ? `${kind}:${id}`.slice(0, 256) : value);
    if (parsed.success) target[field] = parsed.data;
  }
  return target;
}
