/** The one place of this library that reads `process.env`; everything else gets its environment as an argument. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A snapshot of this process's environment. */
export function environment(): Environment {
  return { ...process.env };
}
