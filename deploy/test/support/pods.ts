import type { KubernetesObject } from './helm.js';

export interface Pod {
  /** `<kind>/<name>` of what makes it. */
  readonly owner: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: KubernetesObject['spec'];
}

/** Deployments: what runs all the time. */
export const workloads = (objects: readonly KubernetesObject[]): KubernetesObject[] => objects.filter(({ kind }) => kind === 'Deployment');

/** Every Pod that these objects lead to, those of hooks, tests and backups among them. */
export function podsOf(objects: readonly KubernetesObject[]): Pod[] {
  return objects.flatMap((object) => {
    const owner = `${object.kind}/${object.metadata.name}`;
    if (object.kind === 'Pod') return [{ owner, labels: object.metadata.labels ?? {}, spec: object.spec }];
    if (object.kind === 'CronJob') {
      const { metadata, spec } = object.spec.jobTemplate.spec.template;
      return [{ owner, labels: metadata.labels, spec }];
    }
    if (object.kind !== 'Deployment' && object.kind !== 'Job') return [];
    return [{ owner, labels: object.spec.template.metadata.labels, spec: object.spec.template.spec }];
  });
}

export const containersOf = (spec: Pod['spec']): KubernetesObject[] => [...(spec.initContainers ?? []), ...spec.containers];

export function selects(wanted: Readonly<Record<string, string>> | undefined, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted ?? {}).every(([label, value]) => labels[label] === value);
}

/** Variables of a container; those that come from a Secret with a value as it could be. */
export function variablesOf(container: KubernetesObject | undefined): Map<string, string> {
  const env = (container?.env ?? []) as { name: string; value?: string }[];
  return new Map(env.map(({ name, value }) => [name, value ?? 'postgresql://from:secret@database/plexus']));
}
