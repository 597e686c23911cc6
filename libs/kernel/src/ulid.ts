const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_LENGTH = 10;
const RANDOM_BYTES = 10;
const MAX_TIME = 2 ** 48 - 1;
const SHAPE = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;

export type RandomSource = (count: number) => Uint8Array;

const pool = new Uint8Array(RANDOM_BYTES * 128);
let poolAt = pool.length;

/** From the platform's own generator, so that browsers can make ids too. One system call per 128 ids: asking the kernel for ten bytes each time costs more than the rest of an id. */
function pooledRandom(count: number): Uint8Array {
  if (count > pool.length) return globalThis.crypto.getRandomValues(new Uint8Array(count));
  if (poolAt + count > pool.length) {
    globalThis.crypto.getRandomValues(pool);
    poolAt = 0;
  }
  const bytes = pool.slice(poolAt, poolAt + count);
  poolAt += count;
  return bytes;
}

function encodeTime(time: number): string {
  let text = '';
  for (let i = 0, rest = time; i < TIME_LENGTH; i++) {
    text = ALPHABET[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function encodeRandom(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < RANDOM_BYTES; i += 5) {
    let chunk = 0;
    for (let j = 0; j < 5; j++) chunk = chunk * 256 + (bytes[i + j] as number);
    let part = '';
    for (let j = 0; j < 8; j++) {
      part = ALPHABET[chunk % 32] + part;
      chunk = Math.floor(chunk / 32);
    }
    text += part;
  }
  return text;
}

function increment(bytes: Uint8Array): void {
  for (let i = bytes.length - 1; i >= 0; i--) {
    const next = ((bytes[i] as number) + 1) & 0xff;
    bytes[i] = next;
    if (next !== 0) return;
  }
}

/**
 * Makes a generator with its own state. Ids of one generator sort in the order they were made, also within a millisecond and, when
 * `now` is left out, also when the system clock steps back.
 */
export function createUlidFactory(source: { now?: () => number; random?: RandomSource } = {}): (now?: number, random?: RandomSource) => string {
  const clock = source.now ?? Date.now;
  let lastTime = -1;
  let last = new Uint8Array(RANDOM_BYTES);
  return (now, random = source.random ?? pooledRandom) => {
    const time = now ?? Math.max(clock(), lastTime);
    if (!Number.isInteger(time) || time < 0 || time > MAX_TIME) throw new RangeError(`ULID time must be whole milliseconds in 0..2^48-1, got ${time}`);
    if (time === lastTime) {
      increment(last);
    } else {
      const bytes = random(RANDOM_BYTES);
      if (bytes.length < RANDOM_BYTES) throw new RangeError(`ULID needs ${RANDOM_BYTES} random bytes, the source gave ${bytes.length}`);
      last = Uint8Array.from(bytes.subarray(0, RANDOM_BYTES));
      // The top bit stays free, so that 2^79 increments fit into one millisecond and the carry can never be lost.
      last[0] = (last[0] as number) & 0x7f;
      lastTime = time;
    }
    return encodeTime(time) + encodeRandom(last);
  };
}

/**
 * A new ULID: 26 lower-case characters of Crockford base 32, 48 bits of milliseconds and 80 bits of randomness. Ids made with the
 * same `now`, and ids made without one, are strictly increasing within this process.
 */
export const ulid: (now?: number, random?: RandomSource) => string = createUlidFactory();

/** True for a lower-case ULID that fits into 128 bits. */
export function isUlid(text: unknown): text is string {
  return typeof text === 'string' && SHAPE.test(text);
}

/** Milliseconds since the epoch at which a ULID was made. Throws `RangeError` for anything that is not one. */
export function ulidTime(id: string): number {
  if (!isUlid(id)) throw new RangeError(`not a lower-case ULID: ${JSON.stringify(id).slice(0, 64)}`);
  let time = 0;
  for (let i = 0; i < TIME_LENGTH; i++) time = time * 32 + ALPHABET.indexOf(id[i] as string);
  return time;
}
