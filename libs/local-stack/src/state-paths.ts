import path from 'node:path';

/** Where everything lies inside a state folder. All of it is private to its owner; nothing but this table knows the names. */
export interface StatePaths {
  readonly root: string;
  /** Bearer token of the embedded user (`me` of tenant `default`). */
  readonly token: string;
  /** Private EdDSA key (JWK) that signs tokens of tenant `default`. */
  readonly signingKey: string;
  /** Seals secrets at rest. */
  readonly masterKey: string;
  /** Signs VM tokens. */
  readonly vmTokenSecret: string;
  /** Seed of the nkey of one NATS role, `operator` or `demo`. */
  nkeySeed(role: string): string;
  /** `nats://demo:<password>@…`: what a foreign NATS client connects with. Written at every start. */
  readonly integratorUrl: string;
  readonly integratorPassword: string;
  readonly clusterId: string;
  /** The configuration of tenant `default` as a file, when somebody puts one there. */
  readonly configFile: string;
  /** Hash of what was last brought from a configuration file into the mesh. */
  readonly configFileDigest: string;
  readonly lock: string;
  readonly meshRecord: string;
  readonly processes: string;
  readonly ports: string;
  readonly nats: string;
  readonly postgres: string;
  readonly memory: string;
  readonly vms: string;
  readonly traces: string;
  readonly logs: string;
  log(process: string): string;
}

/** The layout of a state folder; nothing is read or created. */
export function statePaths(stateDir: string): StatePaths {
  const root = path.resolve(stateDir);
  const credentials = path.join(root, 'credentials');
  const logs = path.join(root, 'logs');
  return {
    root,
    token: path.join(credentials, 'token'),
    signingKey: path.join(credentials, 'signing-key.json'),
    masterKey: path.join(credentials, 'master-key'),
    vmTokenSecret: path.join(credentials, 'vm-token-secret'),
    nkeySeed: (role) => path.join(credentials, `${role}.nk`),
    integratorUrl: path.join(credentials, 'demo.url'),
    integratorPassword: path.join(credentials, 'demo.password'),
    clusterId: path.join(root, 'cluster-id'),
    configFile: path.join(root, 'plexus.json5'),
    configFileDigest: path.join(root, 'config-file.sha256'),
    lock: path.join(root, 'lock'),
    meshRecord: path.join(root, 'mesh.json'),
    processes: path.join(root, 'processes.json'),
    ports: path.join(root, 'ports.json'),
    nats: path.join(root, 'nats'),
    postgres: path.join(root, 'postgres'),
    memory: path.join(root, 'memory'),
    vms: path.join(root, 'vms'),
    traces: path.join(root, 'traces'),
    logs,
    log: (process) => path.join(logs, `${process}.log`),
  };
}
