/**
 * Which uplink frames have had their effect. Frames finish in any order; only the run without a hole from the start counts, because acks
 * are cumulative.
 */
export class DurablePrefix {
  private readonly done = new Set<number>();

  constructor(private upTo: number) {}

  /** Highest frame for which it and everything before it is done. */
  get value(): number {
    return this.upTo;
  }

  /** Notes one frame; true when the prefix grew. */
  complete(fseq: number): boolean {
    if (fseq <= this.upTo) return false;
    this.done.add(fseq);
    const before = this.upTo;
    while (this.done.delete(this.upTo + 1)) this.upTo += 1;
    return this.upTo > before;
  }
}
