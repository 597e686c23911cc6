import path from 'node:path';

/** True when `target` is below `folder` (not the folder itself), judged segment by segment. Both are absolute; links are not looked at. */
export function isInside(folder: string, target: string): boolean {
  const relative = path.relative(folder, target);
  return relative !== '' && !path.isAbsolute(relative) && relative.split(path.sep)[0] !== '..';
}
