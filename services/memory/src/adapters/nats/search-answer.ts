import type { memoryContracts, ReplyOf } from '@plexus/contracts';
import type { StoredMemory } from '../../application/ports.js';
import type { SearchAnswer } from '../../application/search-memories.js';
import { cutText } from '../../domain/memory-text.js';

type Memory = memoryContracts.Memory;
type Answer = ReplyOf<typeof memoryContracts.searchMemory>;
type Hit = Answer['hits'][number];

/** An answer is one NATS message of at most 1 MiB, envelope included. */
const MAX_HITS_BYTES = 768 * 1_024;
const LEAST_CONTENT_BYTES = 256;

/** A memory as callers see it: without owner, author and MACs. */
export function toContract(memory: StoredMemory): Memory {
  return {
    id: memory.id,
    scope: { kind: memory.place.kind, id: memory.place.id },
    namespace: memory.namespace,
    kind: memory.kind,
    content: memory.content,
    ...(memory.importance === undefined ? {} : { importance: memory.importance }),
    ...(memory.metadata === undefined ? {} : { metadata: memory.metadata }),
    createdAt: memory.createdAt.toISOString(),
    ...(memory.expiresAt === undefined ? {} : { expiresAt: memory.expiresAt.toISOString() }),
    ...(memory.validFrom === undefined ? {} : { validFrom: memory.validFrom.toISOString() }),
    ...(memory.validTo === undefined ? {} : { validTo: memory.validTo.toISOString() }),
    ...(memory.evergreen ? { evergreen: true } : {}),
    ...(memory.origin === undefined ? {} : { origin: memory.origin }),
    rev: memory.rev,
    ...(memory.supersededBy === undefined ? {} : { supersededBy: memory.supersededBy }),
    ...(memory.supersededAt === undefined ? {} : { supersededAt: memory.supersededAt.toISOString() }),
    seenCount: memory.seenCount,
  };
}

/** The answer of a search, made to fit: long contents are cut and marked first, and only then are the last hits left out. */
export function toSearchAnswer({ hits, corrections, ...rest }: SearchAnswer): Answer {
  return {
    ...rest,
    ...(corrections === undefined ? {} : { corrections: [...corrections] }),
    hits: fitting(
      hits.map(({ score, rankScore, matched, missing, nearDuplicates, explain, ...memory }) => ({
        ...toContract(memory),
        score,
        rankScore,
        matched: [...matched],
        missing: [...missing],
        ...(nearDuplicates === undefined ? {} : { nearDuplicates: [...nearDuplicates] }),
        ...(explain === undefined ? {} : { explain }),
      })),
    ),
  };
}

function fitting(hits: Hit[]): Hit[] {
  if (bytesOf(hits) <= MAX_HITS_BYTES) return hits;
  const frames = bytesOf(hits.map((hit) => ({ ...hit, content: '', contentTruncated: true })));
  const share = Math.max(LEAST_CONTENT_BYTES, Math.floor((MAX_HITS_BYTES - frames) / hits.length));
  const cut = hits.map((hit) => (bytesOf(hit.content) <= share ? hit : { ...hit, content: cutToJson(hit.content, share), contentTruncated: true }));
  while (bytesOf(cut) > MAX_HITS_BYTES) cut.pop();
  return cut;
}

/** Cuts so that the text takes at most `maxBytes` as JSON, where a control character takes six. */
function cutToJson(text: string, maxBytes: number): string {
  let cut = cutText(text, maxBytes);
  while (bytesOf(cut) > maxBytes) cut = cutText(cut, Math.floor((Buffer.byteLength(cut) * maxBytes) / bytesOf(cut)) - 2);
  return cut;
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
