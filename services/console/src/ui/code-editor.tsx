import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { yaml } from '@codemirror/lang-yaml';
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { type Diagnostic, lintGutter, setDiagnostics } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import { EditorView, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { useEffect, useRef } from 'react';

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--ok)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--warn)' },
  { tag: [tags.comment, tags.lineComment], color: 'var(--faint)', fontStyle: 'italic' },
  { tag: [tags.keyword, tags.atom], color: 'var(--warn)' },
]);
const look = EditorView.theme({
  '&': { height: '100%', color: 'var(--text)', fontSize: '12.5px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.6', overflow: 'auto' },
  '.cm-content': { caretColor: 'var(--accent)', padding: '10px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--accent)' },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--faint)', border: 'none' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'light-dark(#ccd6fb, #37457f) !important' },
  '.cm-tooltip': { backgroundColor: 'var(--surface)', border: '1px solid var(--line)', color: 'var(--text)' },
});

/** A line that something is wrong with; `line` counts from 1. */
export interface LineProblem {
  readonly line: number;
  readonly message: string;
}

export interface CodeEditorProps {
  readonly label: string;
  readonly language: 'yaml' | 'json';
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly height: string;
  readonly readOnly?: boolean;
  readonly problems?: readonly LineProblem[];
}

/**
 * An editor for YAML and JSON. It lives in a shadow root: there its styles are adopted sheets, which the content security policy allows, while
 * it would add `<style>` elements to the page. Tab leaves it, so that nobody is caught in it.
 */
export default function CodeEditor({ label, language, value, onChange, height, readOnly = false, problems = [] }: CodeEditorProps) {
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorView>(undefined);
  const changed = useRef(onChange);
  changed.current = onChange;
  const first = useRef(value);
  first.current = value;

  useEffect(() => {
    const host = place.current;
    if (host === null) return undefined;
    const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
    const view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: first.current,
        extensions: [
          lineNumbers(),
          history(),
          indentOnInput(),
          bracketMatching(),
          lintGutter(),
          syntaxHighlighting(colours),
          language === 'yaml' ? yaml() : json(),
          keymap.of([...defaultKeymap, ...historyKeymap]),
          EditorState.readOnly.of(readOnly),
          EditorView.lineWrapping,
          // What is longer than the editor is scrolled from its text, with the keyboard too.
          EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
          EditorView.updateListener.of((update) => update.docChanged && changed.current(update.state.doc.toString())),
          look,
        ],
      }),
    });
    view.dom.style.height = '100%';
    editor.current = view;
    return () => {
      view.destroy();
      editor.current = undefined;
    };
  }, [label, language, readOnly]);

  useEffect(() => {
    const view = editor.current;
    if (view === undefined || view.state.doc.toString() === value) return;
    view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const view = editor.current;
    if (view === undefined) return;
    const marks = problems.filter(({ line }) => line >= 1 && line <= view.state.doc.lines);
    const diagnostics = marks.map(({ line, message }): Diagnostic => {
      const { from, to } = view.state.doc.line(line);
      return { from, to, message, severity: 'error' };
    });
    view.dispatch(setDiagnostics(view.state, diagnostics));
  }, [problems]);

  return <div ref={place} className="editor" style={{ height }} />;
}
