import { channelContracts } from '@plexus/contracts';

/** Codes by which routing tells whom a failure is about, whatever the platform's own word is; that stays in the message. */
export const FAILURE = channelContracts.SEND_FAILURES;

/** How an error of a platform reads. `refused`: nothing but a person can help (wrong token, revoked app). */
export interface DescribedError extends channelContracts.SendError {
  readonly refused?: boolean;
}

/** For `describeError`-less adapters and for refusals of the kit itself. */
export class ChannelError extends Error {
  override readonly name = 'ChannelError';
  constructor(readonly described: DescribedError) {
    super(described.message);
  }
}
