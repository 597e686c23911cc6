/** Letters and digits that nobody mistakes for one another: without I, L, O, U, 0 and 1. 30 of them make 8 characters worth 39 bits. */
export const PAIRING_ALPHABET = 'ABCDEFGHJKMNPQRSTVWXYZ23456789';
export const PAIRING_CODE_LENGTH = 8;

/** Bytes above this are left out, so that every character is equally likely. */
const FAIR = 256 - (256 % PAIRING_ALPHABET.length);

/** A code from random bytes. `random` is asked again until enough of them are fair. */
export function pairingCode(random: (count: number) => Uint8Array): string {
  let code = '';
  while (code.length < PAIRING_CODE_LENGTH) {
    for (const byte of random(PAIRING_CODE_LENGTH * 2)) {
      if (byte < FAIR && code.length < PAIRING_CODE_LENGTH) code += PAIRING_ALPHABET[byte % PAIRING_ALPHABET.length];
    }
  }
  return code;
}

/** A code as somebody typed it: any case, with spaces or dashes. */
export function readPairingCode(typed: string): string {
  return typed.replace(/[\s-]/g, '').toUpperCase();
}

/** What a stranger is told. */
export function pairingText(code: string, expiresInMs: number): string {
  const hours = Math.max(1, Math.round(expiresInMs / 3_600_000));
  return `This assistant does not know you yet. Ask its owner to approve you with this code (valid for ${hours} h):\n\n${code}`;
}
