/** What a user may publish and subscribe to: subject patterns. */
export interface NatsPermissions {
  readonly publish: { readonly allow: readonly string[]; readonly deny?: readonly string[] };
  readonly subscribe: { readonly allow: readonly string[] };
  /** May answer requests on the reply subject they came with. */
  readonly allowResponses?: boolean;
}

/** One user of the embedded server, known by the public half of an nkey or by a password. */
export interface NatsUser {
  /** Shown in comments only. */
  readonly name: string;
  readonly credential: { readonly nkey: string } | { readonly user: string; readonly password: string };
  /** Absent: everything. */
  readonly permissions?: NatsPermissions;
}

export interface NatsConfig {
  readonly port: number;
  readonly storeDir: string;
  /** Absent: no authentication at all. */
  readonly users?: readonly NatsUser[];
  /** Absent: a server by itself. */
  readonly cluster?: NatsClusterMember;
}

/** One of several servers that keep their streams together. */
export interface NatsClusterMember {
  /** Unique in the cluster, and the same after a restart: replicas of streams are assigned to it. */
  readonly serverName: string;
  readonly clusterName: string;
  /** Loopback port for the other servers. */
  readonly port: number;
  /** Loopback ports of all servers of the cluster, its own included. */
  readonly routes: readonly number[];
}

const MAX_PAYLOAD_BYTES = 1024 * 1024;

/** The text of a `nats-server` configuration: loopback only, JetStream on, no monitoring port. */
export function renderNatsConfig(config: NatsConfig): string {
  const lines = [
    '# Written at every start; changes made here are lost.',
    `listen: ${quote(`127.0.0.1:${config.port}`)}`,
    `server_name: ${quote(config.cluster?.serverName ?? 'plexus-embedded')}`,
    `max_payload: ${MAX_PAYLOAD_BYTES}`,
    'ping_interval: "20s"',
    'write_deadline: "10s"',
    // A stop is quick: clients reconnect by themselves, and the store is consistent without a long farewell.
    'lame_duck_duration: "30s"',
    'lame_duck_grace_period: "1s"',
    'jetstream {',
    `  store_dir: ${quote(config.storeDir)}`,
    '  max_memory_store: 64MB',
    // The sum of what the streams may hold must fit; nothing is reserved on disk.
    '  max_file_store: 64GB',
    '}',
    ...(config.cluster === undefined ? [] : renderCluster(config.cluster)),
  ];
  if (config.users !== undefined) lines.push('authorization {', '  timeout: 5', '  users: [', ...renderUsers(config.users), '  ]', '}');
  return `${lines.join('\n')}\n`;
}

/** Clients are told of no other server than those they were given: whoever connects through a proxy stays behind it. */
function renderCluster({ clusterName, port, routes }: NatsClusterMember): string[] {
  const urls = routes.map((route) => quote(`nats://127.0.0.1:${route}`)).join(', ');
  return ['cluster {', `  name: ${quote(clusterName)}`, `  listen: ${quote(`127.0.0.1:${port}`)}`, `  routes: [${urls}]`, '  no_advertise: true', '}'];
}

/** Entries of a `users` list. */
export function renderUsers(users: readonly NatsUser[]): string[] {
  return users.flatMap(renderUser);
}

function renderUser(user: NatsUser): string[] {
  const identity =
    'nkey' in user.credential ? `nkey: ${quote(user.credential.nkey)}` : `user: ${quote(user.credential.user)}, password: ${quote(user.credential.password)}`;
  if (user.permissions === undefined) return [`    # ${user.name}: everything`, `    { ${identity} }`];
  const { publish, subscribe, allowResponses } = user.permissions;
  return [
    `    # ${user.name}`,
    `    { ${identity}, permissions: {`,
    `      publish: ${renderRule(publish.allow, publish.deny)}`,
    `      subscribe: ${renderRule(subscribe.allow)}`,
    ...(allowResponses === true ? ['      allow_responses: true'] : []),
    '    } }',
  ];
}

/** An empty allow list would allow everything. */
function renderRule(allow: readonly string[], deny: readonly string[] = []): string {
  if (allow.length === 0) return '{ deny: [">"] }';
  const denied = deny.length === 0 ? '' : `, deny: [${deny.map(quote).join(', ')}]`;
  return `{ allow: [${allow.map(quote).join(', ')}]${denied} }`;
}

/** The server's own syntax takes JSON's escapes inside double quotes. */
function quote(text: string): string {
  return JSON.stringify(text);
}
