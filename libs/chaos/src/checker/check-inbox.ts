import type { DeviceView, History, InboxEntry } from '../history.js';
import { type Violation, violation } from './violation.js';

/** Events: each acknowledged one is told once to everybody who follows its case and to nobody else; offsets have no gaps; every device saw the same. */
export function checkInbox(history: History): Violation[] {
  return [...checkEvents(history), ...history.final.inboxes.flatMap(checkOffsets), ...checkRows(history), ...checkViews(history)];
}

function checkEvents({ operations, following, final }: History): Violation[] {
  const events = new Map(operations.filter(({ kind }) => kind === 'event').map((event) => [event.id, event]));
  const found: Violation[] = [];
  const told = new Map<string, number>();
  for (const { tenant, user, entries } of final.inboxes) {
    for (const id of entries.flatMap((entry) => entry.events)) {
      const event = events.get(id);
      const key = `${tenant}\n${user}\n${id}`;
      told.set(key, (told.get(key) ?? 0) + 1);
      if (event === undefined) found.push(violation('phantom', `event ${id} in the inbox of ${tenant}/${user} is nobody's`));
      else if (event.tenant !== tenant) found.push(violation('isolation', `event ${id} of ${event.tenant} is in the inbox of ${tenant}/${user}`));
      else if (!following.some((one) => one.tenant === tenant && one.user === user && one.caseId === event.place)) {
        found.push(violation('phantom', `event ${id} about ${event.place} is in the inbox of ${tenant}/${user}, who does not follow it`));
      }
    }
  }
  for (const [key, count] of told) if (count > 1) found.push(violation('doubled', `${count} times in one inbox: ${key.replaceAll('\n', ' ')}`));
  for (const event of events.values()) {
    const stored = final.storedEvents.includes(event.id);
    if (event.outcome === 'ok' && !stored) found.push(violation('lost', `event ${event.id} was acknowledged and is not in the stream`));
    for (const { tenant, user } of following.filter((one) => one.tenant === event.tenant && one.caseId === event.place)) {
      const count = told.get(`${tenant}\n${user}\n${event.id}`) ?? 0;
      // What is in the stream must be told, also when its publisher never heard of the acknowledgement.
      if (count === 0 && (event.outcome === 'ok' || stored)) found.push(violation('lost', `event ${event.id} was stored and not told to ${tenant}/${user}`));
      if (count > 0 && event.outcome === 'refused') found.push(violation('phantom', `event ${event.id} was refused and told to ${tenant}/${user}`));
    }
  }
  return found;
}

function checkOffsets({ tenant, user, head, entries }: History['final']['inboxes'][number]): Violation[] {
  const wrong = entries.find((entry, at) => entry.offset !== at + 1);
  if (wrong !== undefined) return [violation('offsets', `inbox of ${tenant}/${user}: offset ${wrong.offset} stands at place ${entries.indexOf(wrong) + 1}`)];
  return head === entries.length ? [] : [violation('offsets', `inbox of ${tenant}/${user}: head ${head}, ${entries.length} items`)];
}

function checkRows({ final }: History): Violation[] {
  return final.inboxes.flatMap(({ tenant, user, entries }) => {
    const rows = final.inboxRows.find((one) => one.tenant === tenant && one.user === user)?.entries ?? [];
    return same(rows, entries) ? [] : [violation('agreement', `inbox of ${tenant}/${user}: ${rows.length} rows, ${entries.length} items over HTTP`)];
  });
}

function checkViews({ views, final }: History): Violation[] {
  return views.flatMap((view) => {
    const inbox = final.inboxes.find(({ tenant, user }) => tenant === view.tenant && user === view.user)?.entries ?? [];
    return [...view.problems.map((problem) => violation('views', `${nameOf(view)}: ${problem}`)), ...compare(view, inbox)];
  });
}

function compare(view: DeviceView, inbox: readonly InboxEntry[]): Violation[] {
  const { entries } = view;
  for (const [at, entry] of entries.entries()) {
    const expected = at + 1;
    if (entry.offset !== expected) return [violation('views', `${nameOf(view)}: got offset ${entry.offset} where ${expected} was due`)];
    if (entry.id !== inbox[at]?.id) return [violation('agreement', `${nameOf(view)}: offset ${expected} was ${entry.id} and is ${inbox[at]?.id ?? 'gone'}`)];
  }
  return entries.length === inbox.length ? [] : [violation('views', `${nameOf(view)}: ended at ${entries.length} of ${inbox.length}`)];
}

const nameOf = ({ tenant, user, device }: DeviceView): string => `${tenant}/${user} on ${device}`;
const same = (one: readonly InboxEntry[], other: readonly InboxEntry[]): boolean =>
  one.length === other.length && one.every((entry, at) => entry.offset === other[at]?.offset && entry.id === other[at].id);
