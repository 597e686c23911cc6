import { problemLine, type Written } from '../config-client.js';
import type { Output } from '../output.js';

/** Says what a write did: the sentence, the revision, the paths, and what is questionable. */
export function reportWritten(output: Output, written: Written, sentence: string, more: Record<string, unknown> = {}): void {
  const text = written.changed
    ? [`${sentence} Revision ${written.revision}, hash ${written.hash.slice(0, 12)}.`, ...written.changedPaths.map((path) => `  ${path}`)]
    : ['Nothing to change.'];
  output.result({ ...written, ...more }, [...text, ...written.warnings.map((warning) => `warning${problemLine(warning)}`)]);
}
