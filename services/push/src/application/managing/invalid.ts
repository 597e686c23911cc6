import { errors, pushContracts, SubjectError } from '@plexus/contracts';
import { isStorableText } from '@plexus/kernel';
import { EVERYBODY } from './log-change.js';

/** One thing that is wrong with what somebody sent, and where. */
export interface Issue {
  readonly path: string;
  readonly message: string;
}

/** INVALID_REQUEST with every issue; the message names them as well, for people. */
export function invalid(...issues: readonly Issue[]): Error {
  return errors.create('INVALID_REQUEST', { message: issues.map(({ path, message }) => `${path}: ${message}`).join('; '), details: { issues: [...issues] } });
}

/** What identifies something must not be altered on the way into the database, so what Postgres cannot hold is refused. */
export function textIssues(texts: Readonly<Record<string, string | undefined>>): Issue[] {
  return Object.entries(texts)
    .filter(([, text]) => text !== undefined && !isStorableText(text))
    .map(([path]) => ({ path, message: 'must be well-formed Unicode without U+0000' }));
}

/** What is wrong with a user that somebody named: one whose entries have no subject would make every change of theirs fail. */
export function userIssues(tenant: string, user: string, path = 'user'): Issue[] {
  if (user === EVERYBODY) return [{ path, message: '`_` stands for everybody and is no user' }];
  const issues = textIssues({ [path]: user });
  if (issues.length > 0) return issues;
  try {
    pushContracts.delivered.subject(tenant, user);
    return [];
  } catch (cause) {
    if (!(cause instanceof SubjectError)) throw cause;
    return [{ path, message: 'is too long to be a part of a subject' }];
  }
}
