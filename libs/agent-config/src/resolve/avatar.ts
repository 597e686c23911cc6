import path from 'node:path';
import { err, ok, type Result } from '@plexus/kernel';
import { type FileAccess, fileErrorCode } from '../load/file-access.js';
import { isInside } from '../load/inside-folder.js';
import { imageType } from './image-type.js';

export const MAX_AVATAR_BYTES = 2 * 1024 * 1024;

export interface AvatarFault {
  readonly code: 'avatar_home' | 'avatar_scheme' | 'avatar_outside' | 'avatar_missing' | 'avatar_not_file' | 'avatar_too_large' | 'avatar_not_image';
  readonly message: string;
  readonly fix: string;
}

/** What an avatar setting means. */
export type Avatar = { readonly kind: 'none' } | { readonly kind: 'address'; readonly address: string } | { readonly kind: 'file'; readonly path: string };

export interface AvatarOptions {
  /** Absolute path of the agent's workspace. */
  readonly workspace: string;
  /** Given: links are resolved, and file, size and type are checked. */
  readonly files?: FileAccess;
}

/**
 * Checks the avatar of an agent. Blank: none. `data:` and `http(s):` addresses are taken as they are. Anything else is a path that has
 * to stay inside the workspace, segment by segment and after links are resolved, and to be an image file of at most 2 MiB.
 */
export function checkAvatar(avatar: unknown, options: AvatarOptions): Result<Avatar, AvatarFault> {
  const text = typeof avatar === 'string' ? avatar.trim() : '';
  if (text === '') return ok({ kind: 'none' });
  if (/^(data|https?):/i.test(text)) return ok({ kind: 'address', address: text });
  if (text.startsWith('~')) return fault('avatar_home', 'a path of the home folder is not accepted', 'write a path inside the workspace');
  const isDrive = /^[a-z]:[\\/]/i.test(text);
  if (!isDrive && /^[a-z][a-z0-9+.-]*:/i.test(text))
    return fault('avatar_scheme', 'this kind of address is not accepted', 'use data:, http:, https:, or a path inside the workspace');
  const target = path.resolve(options.workspace, text);
  if (text.includes('\0') || !isInside(path.resolve(options.workspace), target)) return outside();
  if (options.files === undefined) return ok({ kind: 'file', path: target });
  const read = readImage(target, options.workspace, options.files);
  return read.ok ? ok({ kind: 'file', path: target }) : read;
}

/** Reads an avatar file and checks everything again: the file may have been exchanged since the configuration was checked. */
export function readAvatar(
  avatar: unknown,
  options: AvatarOptions & { readonly files: FileAccess },
): Result<{ bytes: Uint8Array; mediaType: string }, AvatarFault> {
  const checked = checkAvatar(avatar, { workspace: options.workspace });
  if (!checked.ok) return checked;
  if (checked.value.kind !== 'file') return fault('avatar_not_file', 'the avatar is not a file', 'use the address as it is');
  return readImage(checked.value.path, options.workspace, options.files);
}

function readImage(target: string, workspace: string, files: FileAccess): Result<{ bytes: Uint8Array; mediaType: string }, AvatarFault> {
  try {
    const real = files.realPath(target);
    if (!isInside(files.realPath(workspace), real)) return outside();
    const { facts, bytes } = files.read(real, MAX_AVATAR_BYTES);
    // Between resolving and opening, a folder on the way may have become a link: what was opened must still be what the path leads to.
    if (files.realPath(real) !== real) return outside();
    if (!facts.isFile) return fault('avatar_not_file', 'is not a regular file', 'name an image file');
    if (bytes.length > MAX_AVATAR_BYTES) return fault('avatar_too_large', 'has more than 2 MiB', 'make the image smaller');
    const mediaType = imageType(bytes);
    if (mediaType === undefined) return fault('avatar_not_image', 'is not an image by its content', 'use a PNG, JPEG, GIF, WebP or AVIF file');
    return ok({ bytes, mediaType });
  } catch (error) {
    return fault('avatar_missing', `cannot be read (${fileErrorCode(error)})`, 'put the file into the workspace of the agent');
  }
}

function outside(): Result<never, AvatarFault> {
  return fault('avatar_outside', 'leads out of the workspace of the agent', 'write a path inside the workspace');
}

function fault(code: AvatarFault['code'], message: string, fix: string): Result<never, AvatarFault> {
  return err({ code, message, fix });
}
