/**
 * Whether a user may see a scope, as the engine judges it: the later word about the user and the scope holds. `u`: what was said about the user,
 * `s`: about the scope (granted = restricted); rows of `access_grant`, missing where nothing was said. `now`: an expression.
 */
export function maySee(now: string): string {
  return `
  CASE WHEN u.granted IS FALSE THEN s.granted IS FALSE AND (s.said_at, s.said_seq) > (u.said_at, u.said_seq)
       WHEN u.granted AND (u.until IS NULL OR u.until > ${now}) THEN true
       ELSE s.granted IS NOT TRUE END`;
}
