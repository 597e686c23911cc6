/** Shorter ones would blacken half of the log, and are no secrets. */
const MIN_SECRET = 8;
const MAX_SECRETS = 256;

/** What looks like a key even if nobody told us: `sk-…`, `Bearer …`, `api_key=…`. */
const KEY_LIKE =
  /\b(?:sk|pk|rk|xox[abp])-[\w-]{8,}|\bBearer\s+[\w.~+/=-]{8,}|(?<=\b(?:api[_-]?key|token|secret|password|authorization)["']?\s*[:=]\s*["']?)[^\s"',}]{4,}/gi;

/** Takes secrets out of texts that a bridge says and that go to a log or to a person. */
export class Redactor {
  private readonly secrets = new Set<string>();

  /** From now on this text is never shown. The oldest of very many is forgotten. */
  learn(secret: string | undefined): void {
    if (secret === undefined || secret.length < MIN_SECRET) return;
    this.secrets.delete(secret);
    this.secrets.add(secret);
    const [oldest] = this.secrets;
    if (this.secrets.size > MAX_SECRETS && oldest !== undefined) this.secrets.delete(oldest);
  }

  clean(text: string): string {
    let cleaned = text;
    for (const secret of this.secrets) cleaned = cleaned.replaceAll(secret, '[secret]');
    return cleaned.replace(KEY_LIKE, '[secret]');
  }
}
