import path from 'node:path';
import { readFile } from 'node:fs/promises';
import { PlexusError } from '@plexus/kernel';
import { type SkillIndexEntry, skillPathProblem, type StartSessionData } from '@plexus/vm-protocol';
import type { MeshCalls } from '../../application/mesh-calls.js';
import type { Log, Tool, ToolContext, ToolResult, ToolSource } from '../../application/ports.js';
import { describeMissing, gateSkills, type MissingParts, type Surroundings } from '../../domain/skill-gate.js';
import { findInstalled, type InstalledSkill, install, readPackage } from './install-skill.js';
import { plainError, SkillError } from './skill-error.js';
import { resolveInside } from '../tools/workspace-path.js';

export interface SkillToolsOptions {
  readonly mesh: MeshCalls;
  /** Asked before every run. */
  readonly surroundings: () => Surroundings;
  readonly log: Log;
}

/** Name of the tool that hands out skills; a call of it is a skill call. */
export const SKILL_TOOL = 'skill';
const MAX_TEXT = 100_000;
const MAX_DESCRIPTION = 500;
/** Sessions whose last report is remembered; beyond that the oldest may be reported once more. */
const MAX_REPORTED = 10_000;

/** Which skill a call of the tool is about; undefined when its input names none. */
export function skillIdOf(input: unknown): string | undefined {
  const id = typeof input === 'object' && input !== null ? (input as { skill?: unknown }).skill : undefined;
  return typeof id === 'string' ? id : undefined;
}

/** Shows the model the skills that can work in this VM, and fetches a package into the session's workspace when the model asks for it. */
export class SkillTools implements ToolSource {
  private readonly reported = new Map<string, string>();
  private readonly fetching = new Map<string, Promise<InstalledSkill>>();

  constructor(private readonly options: SkillToolsOptions) {}

  async tools(data: StartSessionData): Promise<readonly Tool[]> {
    const { available, missing } = gateSkills(data.skill_index, this.options.surroundings());
    this.report(data, missing);
    return available.length === 0 ? [] : [this.tool(available)];
  }

  private tool(skills: readonly SkillIndexEntry[]): Tool {
    const list = skills.map(({ id, description }) => `- ${id}: ${description.replaceAll(/\s+/g, ' ').slice(0, MAX_DESCRIPTION)}`);
    return {
      name: SKILL_TOOL,
      description: `Loads a skill: instructions, and files in the workspace, for a kind of task. Load the one that fits before you begin such a task.\nSkills:\n${list.join('\n')}`,
      inputSchema: {
        type: 'object',
        properties: { skill: { type: 'string', enum: skills.map(({ id }) => id), description: 'Which skill.' } },
        required: ['skill'],
        additionalProperties: false,
      },
      run: (input, context) => this.load(input, skills, context),
    };
  }

  private async load(input: unknown, skills: readonly SkillIndexEntry[], context: ToolContext): Promise<ToolResult> {
    const id = skillIdOf(input);
    const skill = skills.find((one) => one.id === id);
    if (skill === undefined) return refusal(`There is no skill ${JSON.stringify(id ?? null)} here. There are: ${skills.map((one) => one.id).join(', ')}.`);
    try {
      const installed = await this.installed(await folderOf(skill.id, context.workspace), skill, context);
      return { content: await describeSkill(skill, installed) };
    } catch (error) {
      if (context.signal.aborted) throw error;
      if (!(error instanceof SkillError) && !PlexusError.isPlexusError(error))
        this.options.log('error', 'a skill could not be loaded', { skillId: skill.id, error });
      const why = error instanceof SkillError || PlexusError.isPlexusError(error) ? error.message : 'it could not be written into the workspace';
      return refusal(`The skill ${skill.id} cannot be loaded: ${why}.`);
    }
  }

  /** One at a time for each folder: two calls of the same step must not replace each other's files. */
  private installed(folder: string, skill: SkillIndexEntry, context: ToolContext): Promise<InstalledSkill> {
    const before = this.fetching.get(folder);
    if (before !== undefined) return before;
    const fetching = this.fetch(folder, skill, context).finally(() => this.fetching.delete(folder));
    this.fetching.set(folder, fetching);
    return fetching;
  }

  private async fetch(folder: string, { id, version, hash }: SkillIndexEntry, { sessionId, signal }: ToolContext): Promise<InstalledSkill> {
    const wanted = { id, version, hash };
    const found = await findInstalled(folder, wanted);
    if (found !== undefined) return found;
    const answer = await this.options.mesh.request(sessionId, 'get_skill_package', { skill_id: id, version }, { signal });
    return install(folder, wanted, readPackage(answer, wanted));
  }

  /** Says once what is missing, and again only when that has changed. */
  private report({ session_id: sessionId }: StartSessionData, missing: ReadonlyMap<string, MissingParts>): void {
    const now = JSON.stringify([...missing]);
    if (now === (this.reported.get(sessionId) ?? '[]')) return;
    this.reported.delete(sessionId);
    if (missing.size > 0) this.reported.set(sessionId, now);
    if (this.reported.size > MAX_REPORTED) this.reported.delete(this.reported.keys().next().value as string);
    const skills = [...missing].map(([id, parts]) => ({ id, missing_binaries: parts.binaries, missing_env_vars: parts.envVars }));
    const sentence = [...missing].map(([id, parts]) => `${id} (${describeMissing(parts)})`).join(', ');
    this.options.log('info', missing.size > 0 ? `skills left out: ${sentence}` : 'every skill is available now', { sessionId });
    this.options.mesh.tell(sessionId, 'audit_log', { event: 'skills_gated', details: { skills } }).catch((error: unknown) => {
      this.options.log('warn', 'the mesh could not be told which skills are left out', { sessionId, error });
    });
  }
}

/** Its folder in the workspace. The name of a skill comes from elsewhere, and the agent may have put a link in its way. */
async function folderOf(id: string, workspace: string): Promise<string> {
  if (skillPathProblem(id) !== undefined) throw plainError('its name is no name of a folder');
  const place = await resolveInside(workspace, path.join('skills', id));
  if (!place.ok) throw plainError(place.reason.replace(/\.$/, ''));
  return place.path;
}

async function describeSkill(skill: SkillIndexEntry, { folder, version, paths }: InstalledSkill): Promise<string> {
  const text = await readFile(path.join(folder, 'SKILL.md'), 'utf8');
  const files = paths.filter((file) => file !== 'SKILL.md').map((file) => `- ${path.join(folder, file)}`);
  const head = [`Skill ${skill.id} ${version}, in ${folder}`, ...(files.length > 0 ? ['Files:', ...files] : [])].join('\n');
  return `${head}\n\n${text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}\n[cut: read ${path.join(folder, 'SKILL.md')} for the rest]` : text}`;
}

function refusal(content: string): ToolResult {
  return { content, isError: true };
}
