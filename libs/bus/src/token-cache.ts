/** Signature characters that find a token; the whole token is compared before it counts as the same. */
const FINGERPRINT = 24;

/**
 * Gives equal tokens the same string object. A token cut out of a message is a new string of several hundred characters, and looking it up
 * in the identity's cache hashes and compares all of it, which costs a tenth of a call; a string seen before has its hash already.
 */
export class TokenCache {
  private readonly seen = new Map<string, string>();

  constructor(private readonly capacity = 4_096) {}

  intern(token: string): string {
    const fingerprint = token.slice(-FINGERPRINT);
    const known = this.seen.get(fingerprint);
    if (known === token) return known;
    if (this.seen.size >= this.capacity) this.seen.clear();
    this.seen.set(fingerprint, token);
    return token;
  }
}
