// Stands in for a model that knows meanings where 100,000 texts cannot be given to a real one: 128 numbers (or `DIMENSIONS`) that vary in 24 directions, texts lying around
// 1,000 topics. That a text lies near its topic is all it knows; it says how fast and how completely vectors of that kind are found, nothing about quality.
import type { Embedder } from '../dist/src/domain/embedding/model.js';

const DIMENSIONS = Number(process.env.DIMENSIONS ?? 128);
const DIRECTIONS = 24;
const TOPICS = 1_000;
const AROUND = 0.6;
const NOISE = 0.05;

function gaussians(seed: number): () => number {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 4_294_967_296;
  };
  return () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
}

const listOf = (length: number, next: () => number): number[] => Array.from({ length }, next);
const directions = Array.from({ length: DIRECTIONS }, (_, n) => listOf(DIMENSIONS, gaussians(n + 1)));
const topics = Array.from({ length: TOPICS }, (_, n) => listOf(DIRECTIONS, gaussians(10_000 + n)));

function seedOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> 0;
}

function embed(text: string): Float32Array {
  const seed = seedOf(text);
  const next = gaussians(seed);
  const vector = Float32Array.from({ length: DIMENSIONS }, () => NOISE * Math.sqrt(DIRECTIONS) * next());
  for (const [n, centre] of (topics[seed % TOPICS] as number[]).entries()) {
    const along = centre + AROUND * next();
    const direction = directions[n] as number[];
    for (let at = 0; at < DIMENSIONS; at += 1) vector[at] = (vector[at] as number) + along * (direction[at] as number);
  }
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}

export const clusteredVectors: Embedder = {
  model: { id: `bench:clusters:${DIMENSIONS}:v1`, provider: 'openai-compat', name: 'clusters', dimensions: DIMENSIONS, kind: 'semantic' },
  maxBatch: 1_000,
  embed: async (texts) => texts.map(embed),
};
