import type { Mesh } from './ports.js';

/** Counts the questions that wait for their answers, so that a planned restart can wait for them too. */
export class CountedMesh implements Mesh {
  private waiting = 0;

  constructor(private readonly mesh: Mesh) {}

  /** Questions without an answer yet. */
  get inFlight(): number {
    return this.waiting;
  }

  readonly call: Mesh['call'] = async (rpc, tenant, data, options) => {
    this.waiting += 1;
    try {
      return await this.mesh.call(rpc, tenant, data, options);
    } finally {
      this.waiting -= 1;
    }
  };
}
