export { type HeldLock, type LockHolder, lock, readHolder, tryLock } from './file-lock.js';
export { identify, isRunning, type ProcessIdentity } from './process-identity.js';
