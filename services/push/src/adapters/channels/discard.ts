/** What a receiver may take to end an answer whose status it has given. */
const PATIENCE_MS = 1_000;

/**
 * Reads an answer to its end, so that its connection can be used again. What it says, and whether it ever ends, does not matter: its status has
 * said what became of the message, and trying again would send it twice.
 */
export async function discard({ body }: Response): Promise<void> {
  if (body === null) return;
  const reader = body.getReader();
  const cancel = (): Promise<void> => reader.cancel().catch(() => undefined);
  const timer = setTimeout(cancel, PATIENCE_MS);
  try {
    for (let end = false; !end; ) end = (await reader.read()).done;
  } catch {
    // Too long or broken off: of no interest, as said above.
    await cancel();
  } finally {
    clearTimeout(timer);
  }
}
