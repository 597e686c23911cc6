/** Where a text that was refused is wrong, when the message names a line: for the mark in the editor. */
export function lineOfProblem(error: unknown): { readonly line: number; readonly message: string } | undefined {
  if (!(error instanceof Error)) return undefined;
  const [, line] = /\bline[: ]+(\d+)|\((\d+):\d+\)/i.exec(error.message)?.filter((part) => part !== undefined) ?? [];
  return line === undefined ? undefined : { line: Number(line), message: error.message };
}
