/** Variables that the chart itself gives to services, from other values; `settings` must not repeat them. */
export const SET_BY_CHART: ReadonlySet<string> = new Set([
  'NODE_ENV',
  'LOG_LEVEL',
  'INTERNAL_HOST',
  'INTERNAL_PORT',
  'PROPAGATION_DELAY_MS',
  'SHUTDOWN_TIMEOUT_MS',
  'NATS_URL',
  'NATS_NKEY_SEED_FILE',
  'NATS_CREDS_FILE',
  'NATS_CA_FILE',
  'NATS_CERT_FILE',
  'NATS_KEY_FILE',
  'DATABASE_URL',
  'MEMORY_DATABASE_URL',
  'MEMORY_MIGRATE',
  'GATEWAY_HOST',
  'GATEWAY_PORT',
  'GATEWAY_TOKEN_FILE',
  'CHANNEL_HTTP_HOST',
  'CHANNEL_HTTP_PORT',
  'PLEXUS_MASTER_KEY_FILE',
  'PLEXUS_MASTER_KEY_PREVIOUS_FILE',
  'MEMORY_EMBEDDING_API_KEY_FILE',
  'VM_TOKEN_SECRET_FILE',
  'VM_TOKEN_SECRET_PREVIOUS_FILE',
  'PLEXUS_MODEL_API_KEY',
  'PLEXUS_CLUSTER',
  'PROVIDER',
  'CONTROL_PLANE_WS',
  'VM_TEMPLATES_FILE',
  'KUBERNETES_NAMESPACE',
  'KUBERNETES_NAMESPACE_PER_TENANT',
  'KUBERNETES_IMAGE',
  'KUBERNETES_IMAGE_PULL_SECRETS',
  'KUBERNETES_GATEWAY',
  'KUBERNETES_GATEWAY_PORT',
  'KUBERNETES_NETWORK_POLICY_ENFORCED',
]);

/** Variables of the process, read by telemetry and by Node before a service has a schema. */
export const OF_THE_PROCESS: ReadonlySet<string> = new Set([
  'OTEL_SERVICE_NAME',
  'OTEL_TRACES_SAMPLER_ARG',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'NODE_EXTRA_CA_CERTS',
]);

/** Variables that make no sense in a Pod, each with the reason. A prefix ends with `*`. */
const NOT_IN_A_POD: Readonly<Record<string, string>> = {
  PLEXUS_PARENT_BOUND: 'there is no parent process',
  PLEXUS_EMBEDDED: 'is the mesh that one command starts',
  PLEXUS_STATE_DIR: 'services keep nothing in files; the local provider, which would, is not offered',
  PLEXUS_MASTER_KEY: 'secrets are files',
  GATEWAY_TOKEN: 'secrets are files',
  VM_TOKEN_SECRET: 'secrets are files',
  KUBERNETES_SERVICE_HOST: 'Kubernetes sets it',
  KUBERNETES_SERVICE_PORT: 'Kubernetes sets it',
  KUBERNETES_KUBECONFIG: 'the service account is used',
  KUBERNETES_CONTEXT: 'the service account is used',
  RUNTIME_ENTRY: 'belongs to the local provider',
  ALLOW_UNSANDBOXED_LOCAL: 'belongs to the local provider',
  ALLOW_WEAK_FENCING: 'is for tests',
  PATH: 'comes with the image',
  CONSOLE_DIR: 'comes with the image',
  HOME: 'comes with the image',
  ROUTING_DATABASE_SCHEMA: '`plexus db migrate` gives every service the schema of its own name',
  PUSH_DATABASE_SCHEMA: '`plexus db migrate` gives every service the schema of its own name',
  MEMORY_DATABASE_SCHEMA: '`plexus db migrate` gives every service the schema of its own name',
  SCHEDULER_DATABASE_SCHEMA: '`plexus db migrate` gives every service the schema of its own name',
  'LOCAL_*': 'a VM as a process of the scheduler is nothing for a Pod',
  'DOCKER_*': 'there is no container engine in a Pod',
};

/** Why a variable is not offered by the chart; undefined when it is. */
export function reasonNotOffered(variable: string): string | undefined {
  const prefix = Object.keys(NOT_IN_A_POD).find((name) => name.endsWith('*') && variable.startsWith(name.slice(0, -1)));
  return NOT_IN_A_POD[variable] ?? (prefix === undefined ? undefined : NOT_IN_A_POD[prefix]);
}

/** Whether `settings` of a service takes it. */
export function isSettable(variable: string): boolean {
  return !SET_BY_CHART.has(variable) && !OF_THE_PROCESS.has(variable) && reasonNotOffered(variable) === undefined;
}
