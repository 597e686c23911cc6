/** One statement of a migration that replicas of the version before may not survive. */
export interface Contraction {
  /** The statement on one line, shortened. */
  readonly statement: string;
  readonly reason: string;
}

interface Rule {
  readonly pattern: RegExp;
  readonly reason: string;
  /** Harmless for a table that the same migration has made: nobody uses it yet. */
  readonly spareNew?: boolean;
}

const RULES: readonly Rule[] = [
  { pattern: /^DROP (TABLE|VIEW|TYPE|SCHEMA|SEQUENCE|FUNCTION)\b/, reason: 'takes away what old replicas use' },
  { pattern: /^DROP INDEX\b/, reason: 'an index may carry the ON CONFLICT of old replicas' },
  { pattern: /^TRUNCATE\b/, reason: 'takes rows away that old replicas use' },
  { pattern: /^ALTER TABLE .*\bDROP (COLUMN|CONSTRAINT)\b/, reason: 'takes away what old replicas use' },
  { pattern: /^ALTER (TABLE|TYPE|INDEX|SEQUENCE) .*\bRENAME\b/, reason: 'old replicas know the old name' },
  {
    pattern: /^ALTER TABLE .*\bALTER COLUMN "?\w+"? (SET DATA )?TYPE\b/,
    reason: 'old replicas write the old type, and the table is locked while it is rewritten',
  },
  { pattern: /^ALTER TABLE .*\bSET NOT NULL\b/, reason: 'old replicas may write NULL', spareNew: true },
  {
    pattern: /^ALTER TABLE .*\bADD (CONSTRAINT|CHECK|UNIQUE|FOREIGN|PRIMARY)\b(?!.*NOT VALID)/,
    reason: 'old replicas may write what it forbids',
    spareNew: true,
  },
  { pattern: /^CREATE UNIQUE INDEX\b/, reason: 'old replicas may write what it forbids', spareNew: true },
];
const ADDED_COLUMN = /\bADD (?:COLUMN )?(?:IF NOT EXISTS )?"?(?!(?:CONSTRAINT|CHECK|UNIQUE|FOREIGN|PRIMARY)\b)(\w+)"? (.*)$/;

/**
 * What a migration takes away, renames or forbids. While a new version is rolled out replicas of the old one work on the new tables, so a migration may only
 * add; what is to go goes one version later, when nobody uses it. A check of the text, not of the database: it knows the statements that migrations are made of.
 */
export function contractions(sql: string): Contraction[] {
  const statements = statementsOf(sql);
  const made = new Set(statements.flatMap((statement) => tableOf(/^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?/, statement) ?? []));
  return statements.flatMap((statement) => {
    const table = tableOf(/^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?/, statement) ?? tableOf(/^CREATE UNIQUE INDEX .*? ON (?:ONLY )?/, statement);
    const isNew = table !== undefined && made.has(table);
    const rule = RULES.find(({ pattern, spareNew }) => pattern.test(statement) && !(spareNew === true && isNew));
    const reason = rule?.reason ?? (isNew ? undefined : requiredColumn(statement));
    return reason === undefined ? [] : [{ statement: statement.slice(0, 160), reason }];
  });
}

function requiredColumn(statement: string): string | undefined {
  if (!statement.startsWith('ALTER TABLE ')) return undefined;
  for (const action of actionsOf(statement)) {
    const [, column, rest = ''] = ADDED_COLUMN.exec(action) ?? [];
    if (column !== undefined && /\bNOT NULL\b/.test(rest) && !/\b(DEFAULT|GENERATED|BIGSERIAL|SERIAL)\b/.test(rest))
      return `old replicas do not fill the column ${column}`;
  }
  return undefined;
}

/** What one ALTER does, at its commas outside of brackets. */
function actionsOf(statement: string): string[] {
  const actions = [''];
  let depth = 0;
  for (const letter of statement) {
    depth += letter === '(' ? 1 : letter === ')' ? -1 : 0;
    if (letter === ',' && depth === 0) actions.push('');
    else actions[actions.length - 1] += letter;
  }
  return actions;
}

function tableOf(before: RegExp, statement: string): string | undefined {
  const start = before.exec(statement)?.[0].length;
  return start === undefined ? undefined : /^"?(\w+)"?(?:\."?(\w+)"?)?/.exec(statement.slice(start))?.[0].replaceAll('"', '').toLowerCase();
}

/** Statements on one line each, keywords in upper case as written, without comments, texts and bodies of functions. */
function statementsOf(sql: string): string[] {
  return (
    sql
      // In one pass: a comment may hold an apostrophe, and a text two dashes.
      .replaceAll(/--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|(\$\w*\$)[\s\S]*?\1/g, (found) => (/^(--|\/\*)/.test(found) ? '' : "''"))
      .split(';')
      .map((statement) => statement.replaceAll(/\s+/g, ' ').trim())
      .filter((statement) => statement !== '')
  );
}
