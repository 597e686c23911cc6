/** While `work` runs, the wall clock of this process, and so of gateways inside it, shows so many ms more. */
export async function laterBy<T>(ms: number, work: () => Promise<T>): Promise<T> {
  const { now } = Date;
  Date.now = () => now() + ms;
  try {
    return await work();
  } finally {
    Date.now = now;
  }
}
