import { integratorPermissions, type Permissions, permissionsFor } from '../permissions.js';
import { ROLES } from '../roles.js';

const list = (subjects: readonly string[], indent: string): string => subjects.map((subject) => `${indent}"${subject}"`).join('\n');

/** The `permissions` block of one user in the syntax of nats-server's configuration. */
export function permissionsBlock(permissions: Permissions): string {
  const { allow, deny } = permissions.publish;
  const denied = deny === undefined ? '' : `, deny: [\n${list(deny, '    ')}\n  ]`;
  return `{
  publish: { allow: [
${list(allow, '    ')}
  ]${denied} }
  subscribe: { allow: [
${list(permissions.subscribe.allow, '    ')}
  ] }${permissions.allowResponses ? '\n  allow_responses: true' : ''}
}
`;
}

/** `proto/nats/<role>.conf`: permission templates to include in a server's configuration, one per role and an integrator's as an example. */
export function permissionFiles(): { path: string; content: string }[] {
  const note = (summary: string): string => `# Generated from libs/contracts; do not edit. ${summary}\n`;
  return [
    ...ROLES.map((role) => ({ path: `proto/nats/${role.name}.conf`, content: note(role.summary) + permissionsBlock(permissionsFor(role)) })),
    {
      path: 'proto/nats/integrator-example.conf',
      content: note('Integrator `crm` of tenant `acme`, granted session events.') + permissionsBlock(integratorPermissions('acme', 'crm', ['session'])),
    },
  ];
}
