import { type InstanceTemplate, ProviderError } from '../application/provider-port.js';

/** What the scheduler sets, and what would change which program runs. */
const RESERVED = /^(VM_|PLEXUS_|CONTROL_PLANE_WS$|NODE_OPTIONS$|LD_|PATH$|HOME$)/;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The variables of a template; rejects names that are not its to set with `INVALID_SPEC`. */
export function requirePlainEnvironment(template: InstanceTemplate | undefined): Readonly<Record<string, string>> {
  const environment = template?.environment ?? {};
  const bad = Object.entries(environment).find(([name, value]) => RESERVED.test(name) || !NAME.test(name) || value.includes('\0'));
  if (bad !== undefined) throw new ProviderError('INVALID_SPEC', `a template may not set the variable ${JSON.stringify(bad[0])}`);
  return environment;
}
