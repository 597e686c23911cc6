/** The text form of pgvector: `[0.1,-0.2]`. */
export function toVectorText(vector: Float32Array): string {
  return `[${Array.from(vector, (value) => Number(value.toFixed(7))).join(',')}]`;
}

export function fromVectorText(text: string): Float32Array {
  return Float32Array.from(text.slice(1, -1).split(','), Number);
}

/** Little-endian 32-bit floats, for columns that need no pgvector. */
export function toVectorBytes(vector: Float32Array): Uint8Array {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes;
}

export function fromVectorBytes(bytes: Uint8Array): Float32Array {
  const buffer = Buffer.from(bytes);
  return Float32Array.from({ length: Math.floor(buffer.length / 4) }, (_, index) => buffer.readFloatLE(index * 4));
}
