/** Kinds of memory that have a meaning. */
export const MEMORY_TYPES = ['fact', 'preference', 'episode', 'summary', 'note'] as const;
export type MemoryKindName = (typeof MEMORY_TYPES)[number];

/** The three words of the protocol, as runtimes of others use them. */
const WORDS: Readonly<Record<string, MemoryKindName>> = { episodic: 'episode', semantic: 'fact', long_term: 'fact', procedural: 'note' };

/** The kind that a runtime's `memory_type` means; what is not known here is a note. */
export function memoryKindOf(type: string | null | undefined): MemoryKindName {
  if (type == null) return 'note';
  const word = type.toLowerCase();
  return MEMORY_TYPES.find((kind) => kind === word) ?? (Object.hasOwn(WORDS, word) ? (WORDS[word] as MemoryKindName) : 'note');
}
