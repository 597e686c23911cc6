import { type DragEvent, useCallback, useEffect, useRef, useState } from 'react';
import { useSession } from '../api/session.js';
import { type Attached, type AttachmentLimits, admit, checkFile, limitsOf, type Refusal } from '../model/attachments.js';

/** Files that go along with the next message. */
export interface WaitingFiles {
  /** Undefined while nobody knows them, and with a gateway that takes no files. */
  readonly limits: AttachmentLimits | undefined;
  readonly files: readonly Attached[];
  readonly refusals: readonly Refusal[];
  /** Files are being looked at: they are not among the others yet. */
  readonly reading: boolean;
  readonly add: (files: readonly File[]) => void;
  readonly remove: (id: string) => void;
  readonly clear: () => void;
  readonly forgive: () => void;
}

export function useWaitingFiles(): WaitingFiles {
  const limits = useLimits();
  const [files, setFiles] = useState<readonly Attached[]>([]);
  const [refusals, setRefusals] = useState<readonly Refusal[]>([]);
  const [reading, setReading] = useState(0);
  // Files that are added at the same time count against the same limits.
  const held = useRef(files);
  const hold = useCallback((next: readonly Attached[]) => {
    held.current = next;
    setFiles(next);
  }, []);
  const add = useCallback(
    (given: readonly File[]) => {
      if (limits === undefined || given.length === 0) return;
      setRefusals([]);
      setReading((count) => count + 1);
      void Promise.all(given.map((file) => checkFile(file, limits, crypto.randomUUID()))).then((checked) => {
        const taken = admit(held.current, checked, limits);
        hold(taken.files);
        setRefusals((before) => [...before, ...taken.refusals]);
        setReading((count) => count - 1);
      });
    },
    [limits, hold],
  );
  const remove = useCallback((id: string) => hold(held.current.filter((file) => file.id !== id)), [hold]);
  const forgive = useCallback(() => setRefusals([]), []);
  const clear = useCallback(() => {
    hold([]);
    forgive();
  }, [hold, forgive]);
  return { limits, files, refusals, reading: reading > 0, add, remove, clear, forgive };
}

/** What the last hello said. */
function useLimits(): AttachmentLimits | undefined {
  const { client, connection } = useSession();
  const [limits, setLimits] = useState<AttachmentLimits>();
  useEffect(() => {
    const { hello } = client;
    if (connection > 0 && hello !== undefined) setLimits(limitsOf(hello.policy));
  }, [client, connection]);
  return limits;
}

/** Handlers of a place where files are dropped, and whether some are above it now. */
export function useDrop({ limits, add }: WaitingFiles) {
  const [over, setOver] = useState(false);
  const hasFiles = (event: DragEvent) => event.dataTransfer.types.includes('Files');
  return {
    over: over && limits !== undefined,
    handlers: {
      onDragOver: (event: DragEvent) => {
        if (!hasFiles(event)) return;
        // Without this the browser would leave the page for the file.
        event.preventDefault();
        event.dataTransfer.dropEffect = limits === undefined ? 'none' : 'copy';
        setOver(true);
      },
      onDragLeave: (event: DragEvent) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false);
      },
      onDrop: (event: DragEvent) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        setOver(false);
        add([...event.dataTransfer.files]);
      },
    },
  };
}

/** As `chat.send` takes it. */
export async function asSent({ name, blob }: Attached): Promise<{ fileName: string; mimeType: string; content: string }> {
  const url = await new Promise<string>((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result as string);
    reader.onerror = () => reject(reader.error ?? new Error(`${name} cannot be read`));
    reader.readAsDataURL(blob);
  });
  return { fileName: name, mimeType: blob.type, content: url.slice(url.indexOf(',') + 1) };
}
