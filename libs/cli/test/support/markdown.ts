import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** A fenced block of a page. */
export interface Block {
  readonly language: string;
  readonly text: string;
  /** Of the opening fence; the first line of a page is 1. */
  readonly line: number;
}

export interface Page {
  /** Relative to the repository, with `/`. */
  readonly file: string;
  readonly blocks: readonly Block[];
  readonly links: readonly { readonly target: string; readonly line: number }[];
  readonly anchors: ReadonlySet<string>;
}

const SKIPPED = new Set(['node_modules', 'dist', 'report', 'cache', 'proto', 'gen']);

/** Every Markdown file that people read; folders that programs fill are left out. */
export function markdownFiles(root: string, folder = ''): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.posix.join(folder, entry.name);
    if (entry.isDirectory()) return entry.name.startsWith('.') || SKIPPED.has(entry.name) ? [] : markdownFiles(root, name);
    return entry.name.endsWith('.md') ? [name] : [];
  });
}

/** The anchor that GitHub and our site give a heading. */
export function anchorOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/[`*\\]/g, '')
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
    .replaceAll(' ', '-');
}

export function readPage(root: string, file: string): Page {
  const blocks: Block[] = [];
  const links: { target: string; line: number }[] = [];
  const anchors = new Set<string>();
  let open: { fence: string; language: string; from: number; lines: string[] } | undefined;
  for (const [index, text] of readFileSync(path.join(root, file), 'utf8').split('\n').entries()) {
    const line = index + 1;
    const [, fence, info = ''] = /^\s*(`{3,}|~{3,})\s*(\S*)/.exec(text) ?? [];
    if (open !== undefined) {
      if (fence?.startsWith(open.fence) && info === '') {
        blocks.push({ language: open.language, text: open.lines.join('\n'), line: open.from });
        open = undefined;
      } else open.lines.push(text);
      continue;
    }
    if (fence !== undefined) {
      open = { fence, language: info, from: line, lines: [] };
      continue;
    }
    const [, heading] = /^#{1,6}\s+(.*)$/.exec(text) ?? [];
    if (heading !== undefined) addAnchor(anchors, anchorOf(heading));
    // Code in a line is no link.
    for (const [, target = ''] of text.replaceAll(/`[^`]*`/g, (found) => ' '.repeat(found.length)).matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g))
      links.push({ target, line });
  }
  return { file, blocks, links, anchors };
}

function addAnchor(anchors: Set<string>, wanted: string): void {
  let anchor = wanted;
  for (let count = 1; anchors.has(anchor); count += 1) anchor = `${wanted}-${count}`;
  anchors.add(anchor);
}
