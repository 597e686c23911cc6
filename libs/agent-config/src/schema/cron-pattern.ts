import { CronPattern } from 'croner';

/** True for a pattern of five or six fields that names at least one time. */
export function isCronPattern(text: string): boolean {
  try {
    return new CronPattern(text, 'UTC', { mode: '5-or-6-parts' }).pattern !== '';
  } catch {
    // The parser throws for every text that it does not accept: that is the answer.
    return false;
  }
}

/** True for a zone of the IANA database that this process knows. */
export function isTimeZone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch {
    // RangeError is how Intl says that there is no such zone.
    return false;
  }
}
