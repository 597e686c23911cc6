/** One asset of the stream plan compared with what the server stores. */
export interface PlanEntry {
  readonly kind: 'stream' | 'consumer' | 'bucket';
  /** Stream name, `<stream>/<consumer>`, or bucket name. */
  readonly asset: string;
  /** `conflict`: reaching the declared state would lose data or needs a new asset; `apply` leaves it alone and says so. */
  readonly action: 'create' | 'update' | 'ok' | 'conflict';
  readonly differences: readonly PlanDifference[];
}

export interface PlanDifference {
  readonly field: string;
  readonly declared: unknown;
  readonly stored: unknown;
  /** Present when the difference cannot be applied: why. */
  readonly reason?: string;
}
