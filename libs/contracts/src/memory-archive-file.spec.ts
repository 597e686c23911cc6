import { createHash } from 'node:crypto';
import { ArchiveDigest, fittingLines, manifestLine, pagesOfLines, readManifestLine } from './memory-archive-file.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('the file of an export', () => {
  it('has the digest that sha256sum gives for the lines before its manifest', () => {
    const digest = new ArchiveDigest();
    for (const line of ['{"a":1}', '{"b":"数"}']) digest.add(line);
    expect(digest.manifest('2026-11-21T10:00:00.000Z')).toMatchObject({ memories: 2, sha256: sha256('{"a":1}\n{"b":"数"}\n') });
  });

  it('ends with a manifest that is read again, and with nothing else that looks like one', () => {
    const manifest = new ArchiveDigest().manifest('2026-11-21T10:00:00.000Z');
    expect(readManifestLine(manifestLine(manifest))).toEqual(manifest);
    expect(readManifestLine(manifestLine(manifest).slice(0, -9))).toBeUndefined();
    expect(readManifestLine('{"content":"x","manifest":1}')).toBeUndefined();
    expect(readManifestLine('{"manifest":{"format":"other"}}')).toBeUndefined();
  });

  it('goes out in pages that fit one message and say where they belong', async () => {
    const lines = Array.from({ length: 600 }, (_, n) => `{"n":${n},"text":"${'x'.repeat(n % 50 === 0 ? 200_000 : 10)}"}`);
    const seen: string[] = [];
    for await (const page of pagesOfLines([...lines, ''])) {
      expect(page.from).toBe(seen.length);
      expect(Buffer.byteLength(JSON.stringify(page.lines))).toBeLessThan(900_000);
      seen.push(...page.lines);
    }
    expect(seen).toEqual(lines);
    expect(fittingLines(lines).length).toBeLessThan(lines.length);
    expect(fittingLines(['x'.repeat(2_000_000)])).toHaveLength(1);
  });
});
