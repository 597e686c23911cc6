import { domainToASCII } from 'node:url';

/** Channels that need an address. */
export type ContactChannel = 'email' | 'webhook' | 'webpush';

export type AddressResult = { readonly ok: true; readonly address: string } | { readonly ok: false; readonly message: string };

const LOCAL_PART = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const DOMAIN = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** An address as it is kept: the same one written differently is the same. Whether it may be reached is judged when something is sent. */
export function readAddress(channel: ContactChannel, written: string): AddressResult {
  return channel === 'email' ? readEmail(written.trim()) : readUrl(channel, written.trim());
}

/** Addresses of the everyday form: no quotes, comments or lists, so that nothing can be smuggled into a header. */
function readEmail(written: string): AddressResult {
  const at = written.lastIndexOf('@');
  const local = written.slice(0, at);
  const domain = domainToASCII(written.slice(at + 1)).toLowerCase();
  const sound = at > 0 && local.length <= 64 && LOCAL_PART.test(local) && domain.length <= 253 && DOMAIN.test(domain);
  return sound && local.length + domain.length < 254
    ? { ok: true, address: `${local}@${domain}` }
    : { ok: false, message: 'must be an e-mail address such as me@example.org' };
}

function readUrl(channel: 'webhook' | 'webpush', written: string): AddressResult {
  const url = URL.parse(written);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) return { ok: false, message: 'must be an https: address' };
  if (url.username !== '' || url.password !== '') return { ok: false, message: 'must not hold a name or password: they would be shown in lists' };
  if (url.hash !== '') return { ok: false, message: 'must not hold a fragment: it is never sent' };
  if (channel === 'webpush' && url.protocol === 'http:' && !LOOPBACK.has(url.hostname)) return { ok: false, message: 'must be an https: address' };
  return url.href.length <= 2_048 ? { ok: true, address: url.href } : { ok: false, message: 'must have at most 2,048 characters' };
}
