/**
 * Which command is written down in the audit log, and by whom. `here`: by the command itself, as this action, because no service is asked. `service`: by the
 * service that it asks, as `AUDITED` in the contracts says. `none`: not at all, for this reason. A command without a row fails the specs.
 */
export type ActDecision = { readonly here: string } | { readonly service: readonly string[] } | { readonly none: string };

const LOOKS = { none: 'only looks' } as const;
const OWN = { none: 'of the person that it is done for; the row itself says who' } as const;
const config = { service: ['config.apply', 'config.patch', 'config.rollback'] } as const;
const service = (...names: string[]): ActDecision => ({ service: names });

/** By the words of the command. */
export const ACTS: Readonly<Record<string, ActDecision>> = {
  ...each(LOOKS, 'status', 'doctor', 'demo', 'route explain', 'trace ls', 'trace show', 'audit ls', 'audit tail'),
  ...each(LOOKS, 'contracts list', 'contracts show', 'contracts validate', 'vectors', 'events tail', 'platform show', 'nats plan', 'db status'),
  ...each(LOOKS, 'config get', 'config check', 'config diff', 'config history', 'config status', 'agents ls', 'binds ls', 'model ls'),
  ...each(config, 'config set', 'config unset', 'config patch', 'config apply', 'config rollback'),
  ...each(config, 'agents add', 'agents update', 'agents rm', 'bind', 'unbind', 'model add', 'model rm'),
  'platform apply': { here: 'platform.apply' },
  'token mint': { here: 'token.mint' },
  'nats apply': { here: 'nats.apply' },
  'nats accounts': { here: 'nats.accounts' },
  'integrator consumer': { here: 'integrator.consumer' },
  'events publish': { here: 'events.publish' },
  'db migrate': { none: 'each migration is a row of _prisma_migrations, with its time; no bus is needed for it' },
  ...each(LOOKS, 'dlq ls', 'dlq show'),
  'dlq redrive': { here: 'dlq.redrive' },
  'dlq drop': { here: 'dlq.drop' },
  // The services that it asks write down their parts as well.
  'import openclaw': { here: 'import.openclaw' },
  ...each(LOOKS, 'vm ls', 'vm show', 'vm why', 'vm history', 'vm logs'),
  ...each(OWN, 'vm ensure', 'vm touch'),
  'vm pause': service('vm.pause'),
  'vm resume': service('vm.resume'),
  'vm rm': service('vm.terminate'),
  'vm drain': service('vm.drain', 'vm.drain-host'),
  'vm attach': service('vm.attach-external'),
  ...each(LOOKS, 'session ls', 'session show', 'pairing ls', 'user erasure'),
  'session reset': service('routing.reset-session'),
  'session export': service('routing.export-session'),
  'session share': service('routing.share-session'),
  'session unshare': service('routing.unshare-session'),
  'session delete': service('routing.delete-session'),
  'session migrate': service('routing.migrate-session-keys'),
  'pairing approve': service('routing.approve-pairing'),
  'pairing reject': service('routing.reject-pairing'),
  'user erase': service('routing.erase-user'),
  send: OWN,
  smoke: OWN,
  ...each(LOOKS, 'memory search', 'memory explain', 'memory ls', 'memory show', 'memory stats'),
  ...each(OWN, 'memory add', 'memory update', 'memory rm'),
  'memory export': service('memory.export'),
  'memory import': service('memory.import'),
  'memory purge': service('memory.purge'),
  ...each(LOOKS, 'push subscriptions', 'push preferences', 'push silence ls', 'push contact ls', 'push grant ls', 'push inbox', 'push attempts'),
  ...each(LOOKS, 'push explain', 'push stats', 'push policy ls', 'push policy show', 'push policy diff', 'push policy test', 'push policy job'),
  ...each(LOOKS, 'push schedule ls', 'push schedule runs', 'push dispatch ls', 'push dispatch runs', 'push dispatch status'),
  ...each(OWN, 'push subscribe', 'push change', 'push unsubscribe', 'push mute', 'push prefer', 'push quiet', 'push silence add', 'push silence change'),
  ...each(
    OWN,
    'push silence expire',
    'push silence rm',
    'push contact add',
    'push contact code',
    'push contact verify',
    'push contact rm',
    'push ack',
    'push mark',
  ),
  ...each(OWN, 'push feedback', 'push notify', 'push research', 'push schedule add', 'push schedule on', 'push schedule off', 'push schedule run'),
  ...each(OWN, 'push schedule change', 'push schedule rm'),
  'push import': service('push.import-subscriptions'),
  'push grant add': service('push.grant-access'),
  'push grant revoke': service('push.revoke-access'),
  'push grant restrict': service('push.restrict-scope'),
  'push policy put': service('push.put-policy'),
  'push policy activate': service('push.activate-policy'),
  'push policy rollback': service('push.rollback-policy'),
  'push policy retire': service('push.retire-policy'),
  'push policy replay': service('push.replay-policy'),
  'push dispatch add': service('push.save-dispatch-rule'),
  'push dispatch change': service('push.update-dispatch-rule'),
  'push dispatch on': service('push.update-dispatch-rule'),
  'push dispatch off': service('push.update-dispatch-rule'),
  'push dispatch rm': service('push.remove-dispatch-rule'),
  ...each(LOOKS, 'skill ls', 'skill show'),
  'skill add': service('skill.upload'),
  'skill rm': service('skill.delete'),
  ...each(LOOKS, 'backup verify'),
  'backup create': { here: 'backup.create' },
  'backup restore': { here: 'backup.restore' },
  'backup settle': { here: 'backup.settle' },
};

function each(decision: ActDecision, ...commands: string[]): Record<string, ActDecision> {
  return Object.fromEntries(commands.map((command) => [command, decision]));
}
