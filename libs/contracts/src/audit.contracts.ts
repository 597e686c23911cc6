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
