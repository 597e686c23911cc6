/** How many replicas of push are alive, as far as this one knows: what cannot be counted together is divided among them. */
export class Replicas {
  private known = 1;

  get alive(): number {
    return this.known;
  }

  saw(alive: number): void {
    this.known = Math.max(1, alive);
  }
}
