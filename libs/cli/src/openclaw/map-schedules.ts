import { normaliseAgentId } from '@plexus/routing-core';
import { type Draft, item } from './draft.js';
import type { Place } from './reading.js';

/** Jobs with a fixed rhythm. `on`: cron as a whole is switched on. */
export function mapJobs(jobs: Place, agentIds: ReadonlySet<string>, on: boolean, draft: Draft): void {
  for (const [index, job] of jobs.entries().entries()) {
    if (typeof job.at('declarationKey').value === 'string') {
      job.leave('OpenClaw, or a plugin of it, made this job for its own upkeep');
      continue;
    }
    const written = job.at('id').text() ?? job.at('jobId').text() ?? `job-${index + 1}`;
    const when = rhythmOf(job);
    const payload = job.at('payload');
    const message = payload.at('message').text() ?? payload.at('text').text();
    if (typeof when === 'string' || message === undefined) {
      job.leave(typeof when === 'string' ? when : 'it has no message for an agent');
      continue;
    }
    const agent = job.at('agentId').text();
    const agentId = agent === undefined ? undefined : normaliseAgentId(agent);
    const known = agentId !== undefined && agentIds.has(agentId);
    if (agentId !== undefined && !known) job.at('agentId').note('there is no such agent: the default agent is woken');
    const enabled = job.at('enabled').flag() ?? true;
    const mapped = { id: jobId(written), ...(known && { agentId }), ...(!(enabled && on) && { enabled: false }), ...when, message };
    for (const key of ['name', 'state', 'createdAtMs', 'updatedAtMs', 'version']) job.at(key).take();
    payload.at('kind').take();
    draft.put(['cron', 'jobs', item(index)], mapped, job);
  }
}

/** The rhythm of a job, or why it has none here. */
function rhythmOf(job: Place): { cron: string; timeZone?: string } | { everyMs: number } | string {
  const schedule = job.at('schedule');
  const kind = schedule.at('kind').text();
  if (kind === 'every') {
    const everyMs = schedule.at('everyMs').number();
    return everyMs === undefined ? 'its interval is no number' : { everyMs };
  }
  if (kind === 'cron') {
    const [cron, timeZone] = [schedule.at('expr').text(), schedule.at('tz').text()];
    if (cron === undefined) return 'its pattern is no text';
    if (timeZone === undefined) schedule.note('no time zone is given: it is read in UTC here, in OpenClaw in that of its machine');
    return { cron, ...(timeZone !== undefined && { timeZone }) };
  }
  return kind === 'at' ? 'it happens once: jobs have a rhythm here; `plexus push schedule` also has single times' : 'its kind of schedule is not known';
}

function jobId(text: string): string {
  const id = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64);
  return id === '' ? 'job' : id;
}
