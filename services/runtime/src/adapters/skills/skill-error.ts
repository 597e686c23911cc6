/** A failure whose message the model may read: it says what is wrong and holds no secret. */
export class SkillError extends Error {}

export function plainError(message: string): SkillError {
  return new SkillError(message);
}
