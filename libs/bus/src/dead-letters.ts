/** One parked message. */
export interface ParkedMessage {
  /** Sequence in `PLEXUS_DLQ`; names the message in `showParked`, `redrive` and `drop`. */
  readonly seq: number;
  readonly subject: string;
  readonly tenant: string;
  readonly consumer: string;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  readonly originSubject: string;
  readonly originStream: string;
  readonly originSeq: number;
  /** When it was parked, ISO 8601. */
  readonly parkedAt: string;
  readonly bytes: number;
}
