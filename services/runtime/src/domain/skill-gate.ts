import type { SkillIndexEntry } from '@plexus/vm-protocol';

/** What a skill needs and this VM does not have, by exact names. */
export interface MissingParts {
  readonly binaries: readonly string[];
  readonly envVars: readonly string[];
}

/** What this VM has, asked anew each time: a program that was installed a moment ago counts. */
export interface Surroundings {
  hasBinary(name: string): boolean;
  hasVariable(name: string): boolean;
}

export interface GatedSkills {
  readonly available: readonly SkillIndexEntry[];
  readonly missing: ReadonlyMap<string, MissingParts>;
}

/** Divides skills into those that can work here and those that cannot, with the reason. */
export function gateSkills(skills: readonly SkillIndexEntry[], here: Surroundings): GatedSkills {
  const missing = new Map<string, MissingParts>();
  const available = skills.filter((skill) => {
    const binaries = skill.requires.binaries.filter((name) => !here.hasBinary(name));
    const envVars = skill.requires.env_vars.filter((name) => !here.hasVariable(name));
    if (binaries.length > 0 || envVars.length > 0) missing.set(skill.id, { binaries, envVars });
    return !missing.has(skill.id);
  });
  return { available, missing };
}

/** One sentence for people: what has to be installed or set. */
export function describeMissing({ binaries, envVars }: MissingParts): string {
  const parts = [...(binaries.length > 0 ? [`not on PATH: ${binaries.join(', ')}`] : []), ...(envVars.length > 0 ? [`not set: ${envVars.join(', ')}`] : [])];
  return parts.join('; ');
}
