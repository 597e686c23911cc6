import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { repositoryRoot } from '@plexus/local-stack';

interface Part {
  readonly name: string;
  readonly lines: readonly string[];
}
interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly min: number;
  readonly max: number;
  readonly runs: number;
  readonly ratioTo?: string;
  readonly goal?: string;
}
interface Report {
  updateReport(text: string, parts: readonly Part[]): string;
  sectionOf(title: string, figures: readonly Figure[], note?: string): Part;
}

describe('the report of benchmarks', () => {
  let report: Report;
  beforeAll(async () => {
    report = (await import(pathToFileURL(path.join(repositoryRoot(), 'tools/performance-report.mjs')).href)) as Report;
  });

  const figure = { name: 'round trips', value: 1_234.5, unit: 'per s', min: 1_000, max: 2_000, runs: 3, goal: '>= 1000' };

  it('puts what was measured in the place of what was there, and keeps what people wrote before, between and behind', () => {
    const first = report.updateReport('', [report.sectionOf('a/bench', [figure]), report.sectionOf('b/bench', [figure])]);
    const written = `${first.replace('<!-- measured: b/bench -->', 'Between the two.\n\n<!-- measured: b/bench -->')}\n## By hand\n\n| x | 1.00 |\n`;
    const again = report.updateReport(written, [report.sectionOf('a/bench', [{ ...figure, value: 900 }], 'A note.')]);
    expect(again).toContain('| round trips | 900 per s | 1,000–2,000 |  | missed (goal >= 1000) |');
    expect(again).toContain('A note.');
    expect(again.match(/## a\/bench/g)).toHaveLength(1);
    expect(again).toContain('| round trips | 1,235 per s | 1,000–2,000 |  | met (goal >= 1000) |');
    expect(again).toContain('Between the two.');
    expect(again.endsWith('## By hand\n\n| x | 1.00 |\n')).toBe(true);
    expect(report.updateReport(again, [])).toBe(again);
  });

  it('says the same when the same was measured', () => {
    const parts = [report.sectionOf('a/bench', [figure])];
    const once = report.updateReport('# Figures\n\nWords.\n', parts);
    expect(report.updateReport(once, parts)).toBe(once);
    expect(once.startsWith('# Figures\n\nWords.\n')).toBe(true);
  });

  it('writes nothing when the end of a part is missing: what follows could be somebody else’s', () => {
    const broken = '<!-- measured: a/bench -->\n\nold\n\n## By hand\n';
    expect(() => report.updateReport(broken, [report.sectionOf('a/bench', [figure])])).toThrow('has no end');
  });
});
