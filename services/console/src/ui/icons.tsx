import type { ReactNode } from 'react';

const PATHS = {
  mesh: 'M12 12 5 6M12 12l7-5M12 12l-4 7M12 12l6 6M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5ZM5 4.2v.1M19 5.2v.1M8 20.7v.1M18.3 19.7v.1',
  chat: 'M4 5.5h16v11H10l-4.5 3.5v-3.5H4zM8 9.5h8M8 12.8h5',
  events: 'M4 6h3M4 12h3M4 18h3M10 6h10M10 12h7M10 18h9',
  inbox: 'M4 13.5 6.2 5h11.6L20 13.5V19H4zM4 13.5h4.6a3.5 3.5 0 0 0 6.8 0H20',
  bell: 'M6.5 16.5V11a5.5 5.5 0 0 1 11 0v5.5l1.5 1.8H5zM10 20.5h4',
  why: 'M9 9.2a3.1 3.1 0 1 1 4.7 2.6c-1.1.7-1.7 1.2-1.7 2.5M12 17.6v.1M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17Z',
  policy: 'M12 3.5 19 6v5.5c0 4.3-3 7.3-7 9-4-1.7-7-4.7-7-9V6zM9 12l2.2 2.2L15.5 10',
  memory: 'M5 6.5c0-1.7 3.1-3 7-3s7 1.3 7 3-3.1 3-7 3-7-1.3-7-3ZM5 6.5v11c0 1.7 3.1 3 7 3s7-1.3 7-3v-11M5 12c0 1.7 3.1 3 7 3s7-1.3 7-3',
  vm: 'M4 5h16v6H4zM4 13h16v6H4zM7.5 8h.1M7.5 16h.1M11 8h5M11 16h5',
  route: 'M6 6.5h5.5a3 3 0 0 1 3 3v5a3 3 0 0 0 3 3H20M17.5 15l2.5 2.5-2.5 2.5M4 6.5h.1M14.5 6.5H20M17.5 4 20 6.5 17.5 9',
  dead: 'M12 4 21 19.5H3zM12 10v4.5M12 17.1v.1',
  settings: 'M5 7h8M17 7h2M5 17h2M11 17h8M5 12h2M11 12h8M15 5v4M9 15v4M9 10v4',
  publish: 'M12 15.5V4.5M7.5 9 12 4.5 16.5 9M5 15v4.5h14V15',
  search: 'M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12ZM15 15l4.5 4.5',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4',
  quiet: 'M6.5 16.5V11a5.5 5.5 0 0 1 9-4.2M17.5 10v6.5l1.5 1.8H7M10 20.5h4M4 4l16 16',
  moon: 'M19 14.5A7.5 7.5 0 0 1 9.5 5a7.5 7.5 0 1 0 9.5 9.5Z',
  system: 'M4 5h16v11H4zM9 20h6M12 16v4',
  leave: 'M14 4.5H5v15h9M10 12h10M16.5 8.5 20 12l-3.5 3.5',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  cross: 'M6 6l12 12M18 6 6 18',
  clock: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16ZM12 8v4.5l3 1.8',
  minus: 'M7 12h10',
  attach: 'm19 11.5-7.2 7.2a4.2 4.2 0 0 1-6-6l7.6-7.6a2.8 2.8 0 0 1 4 4l-7.5 7.5a1.4 1.4 0 0 1-2-2l6.9-6.9',
  file: 'M6.5 3.5h7.5l4 4v13H6.5zM14 3.5v4h4M9.5 12.5h5.5M9.5 16h5.5',
  download: 'M12 4.5v11M7.5 11 12 15.5 16.5 11M5 19.5h14',
  send: 'M4.5 12 20 4.5 15.5 20l-3.7-6.3zM11.8 13.7 20 4.5',
  stop: 'M7 7h10v10H7z',
  refresh: 'M19.5 12a7.5 7.5 0 1 1-2.2-5.3L19.5 9M19.5 4.5V9H15',
  plus: 'M12 5v14M5 12h14',
  info: 'M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16ZM12 11v5M12 8v.1',
  menu: 'M4 7h16M4 12h16M4 17h16',
  language: 'M3.5 6h10M8.5 4v2M11.5 6c-.6 4-3.6 7-7.5 8.5M6 8.5c1 2.6 3.3 4.8 6 6M12.5 20l4-10 4 10M13.9 16.8h5.2',
} as const;

export type IconName = keyof typeof PATHS;

/** A line drawing of 24 by 24; decoration only, the words beside it say the same. */
export function Icon({ name }: { readonly name: IconName }): ReactNode {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.7" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark of Plexus. */
export function Mark(): ReactNode {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#3a56c5" />
      <path d="M16 16 8.5 9.5M16 16l8-5.5M16 16l-5 8M16 16l7.5 6.5" stroke="#fff" strokeWidth="1.6" strokeLinecap="round" />
      <g fill="#fff">
        <circle cx="16" cy="16" r="3.6" />
        <circle cx="8.5" cy="9.5" r="2.2" />
        <circle cx="24" cy="10.5" r="2.2" />
        <circle cx="11" cy="24" r="2.2" />
        <circle cx="23.5" cy="22.5" r="2.2" />
      </g>
    </svg>
  );
}
