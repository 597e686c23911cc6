// Sentences that people wrote: those of the README files of the packages that are installed here. No two are the same.
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';

const SHORTEST = 40;
const LONGEST = 240;

/** Up to `most` sentences, spread over all packages: the same ones as long as the same packages are installed. */
export function readmeSentences(most: number): string[] {
  const root = path.join(import.meta.dirname, '../../../node_modules');
  const files = globSync(['*/README.md', '@*/*/README.md', '*/CHANGELOG.md'], { cwd: root }).sort();
  const found = new Set<string>();
  for (const file of files) {
    const prose = readFileSync(path.join(root, file), 'utf8')
      .replaceAll(/```.*?```/gs, '\n\n')
      .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/<[^>]*>|[*_`#>|]/g, ' ');
    for (const sentence of prose.split(/(?<=[.!?])\s+|\n\s*\n|\n\s*-/)) {
      const text = sentence.replaceAll(/\s+/g, ' ').trim();
      if (text.length >= SHORTEST && text.length <= LONGEST && (text.match(/[a-z]/gi)?.length ?? 0) > text.length * 0.7) found.add(text);
    }
  }
  const all = [...found];
  const step = Math.max(1, all.length / most);
  return Array.from({ length: Math.min(most, all.length) }, (_, n) => all[Math.floor(n * step)] as string);
}
