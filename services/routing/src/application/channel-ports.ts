/** A message as a channel knows it: looked at once, however often and wherever it is delivered. */
export interface InboundId {
  readonly tenant: string;
  readonly source: string;
  readonly accountId: string;
  readonly chatId: string;
  readonly messageId: string;
  readonly senderId: string;
  readonly configRevision: number;
}

export interface Person {
  readonly tenant: string;
  readonly channel: string;
  readonly accountId: string;
  readonly senderId: string;
}

export interface PairingRequest extends Person {
  readonly senderName?: string | undefined;
  readonly code: string;
  readonly chatId: string;
  readonly messages: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export interface ChannelStatements {
  /** Takes the message; undefined when it was taken before, by whichever replica. Another one that is taking it right now is waited for. */
  claimInbound(message: InboundId): Promise<number | undefined>;
  settleInbound(id: number, outcome: string, runId?: string): Promise<void>;
  /** What was decided about a person; a rejection counts for a week. */
  decisionAbout(person: Person): Promise<'approved' | 'rejected' | undefined>;
  decide(person: Person, decision: 'approved' | 'rejected', by: string): Promise<void>;
  /**
   * Opens a request under `code`, or counts the message on the open one (`fresh` false: its code stands). `full`: so many requests of the account are
   * open that no further one is.
   */
  openPairing(
    request: Omit<PairingRequest, 'messages' | 'createdAt' | 'expiresAt'>,
    limits: { ttlMs: number; open: number },
  ): Promise<'fresh' | 'known' | 'full'>;
  /** The open request of a code, locked. */
  findPairing(tenant: string, code: string, channel?: string): Promise<PairingRequest | undefined>;
  closePairing(request: PairingRequest): Promise<void>;
  listPairings(tenant: string, channel?: string): Promise<PairingRequest[]>;
  /** Wrong codes of a caller in its window. */
  failuresOf(tenant: string, caller: string): Promise<number>;
  countFailure(tenant: string, caller: string, windowMs: number): Promise<void>;
}
