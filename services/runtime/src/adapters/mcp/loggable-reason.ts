/** Why a server cannot be used, for the log. Of what a server answers only the number: its words may hold anything, also a key. */
export function loggableReason(error: unknown): string {
  if (!(error instanceof Error)) return 'it failed';
  const { code } = error as { code?: unknown };
  if (error.name === 'McpError') return `it answered with error ${String(code)}`;
  return error.message.slice(0, 500).replace(/\.$/, '');
}
