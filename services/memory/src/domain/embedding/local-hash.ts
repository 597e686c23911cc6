import { documentTerms } from '../tokeniser.js';
import { type Embedder, type EmbeddingModel, normalised } from './model.js';

/** Words and CJK pairs say more than the letters that they are made of. */
const TERM_WEIGHT = 3;
const TRIGRAM_WEIGHT = 1;
const MAX_BATCH = 256;
/** A text is known by its first terms: what a hash embedder of a whole book would say is nothing. */
const MAX_TERMS = 2_000;

/**
 * Signed feature hashing of words, CJK pairs and the trigrams of their letters (Weinberger et al., 2009). The same text gives the same bytes on every
 * machine. It knows spellings, not meanings: `kind` is `lexical-hash`, and across languages it finds nothing.
 */
export function localHashEmbedder(dimensions = 512): Embedder {
  const model: EmbeddingModel = {
    id: `local-hash:hash:${dimensions}:v1`,
    provider: 'local-hash',
    name: 'local-hash-v1',
    dimensions,
    kind: 'lexical-hash',
  };
  return { model, maxBatch: MAX_BATCH, embed: async (texts) => texts.map((text) => embedByHash(text, dimensions)) };
}

/** Never without a direction: a text without any term points where the empty word points. */
export function embedByHash(text: string, dimensions: number): Float32Array {
  const sums = new Float64Array(dimensions);
  const add = (feature: string, weight: number) => {
    const hash = fnv1a(feature);
    const index = (hash >>> 1) % dimensions;
    sums[index] = (sums[index] as number) + ((hash & 1) === 0 ? weight : -weight);
  };
  for (const term of documentTerms(text).slice(0, MAX_TERMS)) {
    add(`t:${term}`, TERM_WEIGHT);
    const padded = `^${term}$`;
    for (let at = 0; at + 3 <= padded.length; at += 1) add(`3:${padded.slice(at, at + 3)}`, TRIGRAM_WEIGHT);
  }
  const vector = normalised(sums);
  if (vector !== undefined) return vector;
  const empty = new Float32Array(dimensions);
  empty[(fnv1a('') >>> 1) % dimensions] = 1;
  return empty;
}

/** FNV-1a over UTF-16 units, mixed at the end so that the low bits are as good as the high ones. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
