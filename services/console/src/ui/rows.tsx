import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';

export interface RowsProps<T> {
  /** What the list is, for those who cannot see it. */
  readonly label: string;
  readonly items: readonly T[];
  readonly keyOf: (item: T) => string;
  readonly render: (item: T) => ReactNode;
  /** Estimate in px; rows may be higher. */
  readonly rowHeight: number;
  /** Height of the list in CSS. */
  readonly height: string;
  readonly selected?: string | undefined;
  readonly onSelect: (item: T) => void;
  /** Keeps the newest (last) row in sight while the reader is at the end. */
  readonly follow?: boolean;
  /** The end came into sight: there may be more. */
  readonly onEnd?: () => void;
}

const PAGE = 10;

/** A list of any length: only what is in sight is in the page. Arrow keys move, Enter opens. */
export function Rows<T>({ label, items, keyOf, render, rowHeight, height, selected, onSelect, follow = false, onEnd }: RowsProps<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(-1);
  const id = useId();
  const atEnd = useRef(true);
  const virtual = useVirtualizer({
    count: items.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    getItemKey: (index) => keyOf(items[index] as T),
    overscan: 8,
  });
  const shown = virtual.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;

  useEffect(() => {
    if (follow && atEnd.current && items.length > 0) virtual.scrollToIndex(items.length - 1, { align: 'end' });
  }, [follow, items.length, virtual]);
  useEffect(() => {
    if (onEnd !== undefined && items.length > 0 && last >= items.length - 1) onEnd();
  }, [onEnd, items.length, last]);

  const move = (to: number) => {
    const index = Math.max(0, Math.min(items.length - 1, to));
    setActive(index);
    virtual.scrollToIndex(index);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const moves: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + PAGE,
      PageUp: active - PAGE,
      Home: 0,
      End: items.length - 1,
    };
    const to = moves[event.key];
    if (to !== undefined) {
      event.preventDefault();
      move(to);
    } else if (event.key === 'Enter' || event.key === ' ') {
      const item = items[active];
      if (item === undefined) return;
      event.preventDefault();
      onSelect(item);
    }
  };
  const isShown = shown.some(({ index }) => index === active);
  return (
    <div
      ref={scroller}
      className="rows"
      style={{ height }}
      role="listbox"
      aria-label={label}
      tabIndex={0}
      aria-activedescendant={isShown ? `${id}-${active}` : undefined}
      onKeyDown={onKeyDown}
      onFocus={() =>
        active < 0 &&
        setActive(
          Math.max(
            0,
            items.findIndex((item) => keyOf(item) === selected),
          ),
        )
      }
      onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
        atEnd.current = scrollHeight - scrollTop - clientHeight < rowHeight * 2;
      }}
    >
      <div className="rows-inner" style={{ height: virtual.getTotalSize() }} role="presentation">
        {shown.map(({ index, key, start }) => {
          const item = items[index] as T;
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the focus and takes the keys for its rows
            <div
              key={key}
              ref={virtual.measureElement}
              data-index={index}
              id={`${id}-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={keyOf(item) === selected}
              aria-setsize={items.length}
              aria-posinset={index + 1}
              className={`rows-item${index === active ? ' active' : ''}`}
              style={{ transform: `translateY(${start}px)` }}
              onClick={() => {
                setActive(index);
                onSelect(item);
              }}
            >
              {render(item)}
            </div>
          );
        })}
      </div>
    </div>
  );
}
