/** A URL as it may be shown: without the credentials in front of its host. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/g, '//');
}
