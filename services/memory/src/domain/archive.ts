import type { memoryArchiveContracts } from '@plexus/contracts';
import { stableStringify } from '@plexus/kernel';

/** The line of a memory: the same text for the same memory, wherever it is written. */
export function archiveLine(memory: memoryArchiveContracts.ArchivedMemory): string {
  return stableStringify(memory);
}
