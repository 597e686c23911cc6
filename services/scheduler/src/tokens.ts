/** Injection tokens of ports. */
export const RUN_STORE = Symbol('scheduler.run-store');
export const HINTS = Symbol('scheduler.hints');
/** Null without a master key. */
export const SECRETS = Symbol('scheduler.secrets');
export const SANDBOXES = Symbol('scheduler.sandboxes');

/** What the tenant's configuration says about the VM of an agent. */
export type Sandboxes = (
  tenant: string,
  wish: { readonly scope: string; readonly agentId?: string | undefined; readonly sessionId?: string | undefined },
) => { readonly scope: string; readonly idleMs?: number; readonly retentionMs?: number };

export const SESSION_AGENTS = Symbol('scheduler.session-agents');
/** Whose a session is, which agent answers in it, and on which VM; undefined for one that no VM has had. */
export type SessionAgents = (
  tenant: string,
  sessionId: string,
) => Promise<{ readonly agentId: string; readonly owner: string; readonly vmId: string } | undefined>;
