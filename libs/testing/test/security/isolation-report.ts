import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '@plexus/local-stack';
import type { Row } from './attack.js';

const quoted = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** Writes `report/isolation.html`: what was tried, and what came of it. */
export function writeIsolationReport(rows: readonly Row[], leaks: readonly Row[], seenByOwner: number): void {
  const surfaces = [...new Set(rows.map(({ surface }) => surface))];
  const line = ({ surface, name, outcome }: Row): string =>
    `<tr class="${leaks.some((leak) => leak.surface === surface && leak.name === name) ? 'leak' : 'kept'}"><td>${surface}</td><td><code>${quoted(name)}</code></td><td>${quoted(outcome)}</td></tr>`;
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Isolation of tenants</title>
<style>body{font:15px/1.5 system-ui;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#1d2330}table{border-collapse:collapse;width:100%}
td,th{padding:.2rem .6rem;text-align:left;border-bottom:1px solid #dde2ea}.leak{background:#fbd5d5}h1{font-size:1.4rem}</style>
<h1>Isolation of tenants</h1>
<p>An administrator of tenant <b>acme</b> tried everything that there is with the names of things of tenant <b>globex</b>, whose administrator has the same user name.
${rows.length} attempts, ${leaks.length} leaks; the owner's own credential found its markers in ${seenByOwner} of the same answers.</p>
<p>${surfaces.map((surface) => `${quoted(surface)}: ${rows.filter((row) => row.surface === surface).length}`).join(' · ')}</p>
<table><tr><th>surface</th><th>attempt</th><th>outcome</th></tr>
${rows.map(line).join('\n')}
</table></html>
`;
  const file = path.join(repositoryRoot(), 'report', 'isolation.html');
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, html);
}
