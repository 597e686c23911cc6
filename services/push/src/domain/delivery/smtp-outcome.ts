import type { SendOutcome } from './channel.js';

/** Commands whose refusal is about the sender's settings, not about the message. */
const ABOUT_US = /^(EHLO|HELO|AUTH|STARTTLS|CONN)/;

/**
 * What a refusal of an SMTP server means; undefined when it did not answer. Only reply codes are kept: their texts quote addresses. A
 * login that is refused may be mended in the settings, so it is tried again; a recipient that is refused is not.
 */
export function smtpOutcome(error: { responseCode?: unknown; response?: unknown; code?: unknown; command?: unknown }): SendOutcome | undefined {
  const { responseCode, response, code, command } = error;
  if (code === 'EAUTH' || code === 'ENOAUTH') return { kind: 'retry', error: 'smtp_login_refused', endpointFault: true };
  if (code === 'ETLS') return { kind: 'retry', error: 'smtp_tls_failed', endpointFault: true };
  if (typeof responseCode !== 'number') return undefined;
  const detail = typeof response === 'string' ? /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})/.exec(response)?.[1] : undefined;
  const text = detail === undefined ? `smtp_${responseCode}` : `smtp_${responseCode} ${detail}`;
  const isAboutUs = typeof command === 'string' && ABOUT_US.test(command);
  if (responseCode >= 500 && !isAboutUs) return { kind: 'refused', error: text };
  return { kind: 'retry', error: text, endpointFault: isAboutUs || responseCode === 421 };
}
