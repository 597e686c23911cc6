import { lazy, Suspense } from 'react';
import type { CodeEditorProps } from './code-editor.js';
import { Busy } from './parts.js';

const CodeEditor = lazy(() => import('./code-editor.js'));

/** The code editor, loaded when somebody first needs it. */
export function Editor(props: CodeEditorProps) {
  return (
    <Suspense fallback={<Busy />}>
      <CodeEditor {...props} />
    </Suspense>
  );
}
