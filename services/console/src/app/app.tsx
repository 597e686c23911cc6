import { lazy } from 'react';
import { createBrowserRouter, RouterProvider } from 'react-router';
import { SessionProvider } from '../api/session.js';
import { Toasts } from '../ui/toasts.js';
import { Broken } from './broken.js';
import { InboxProvider } from './inbox-state.js';
import { NotFound } from './not-found.js';
import { Shell } from './shell.js';
import { SignInPage } from './sign-in.js';

const page = (load: () => Promise<{ default: () => React.ReactNode }>) => {
  const Page = lazy(load);
  return <Page />;
};

const router = createBrowserRouter([
  {
    path: '/',
    element: <Shell />,
    errorElement: <Broken />,
    children: [
      { index: true, element: page(() => import('../pages/mesh.js')) },
      { path: 'sessions', element: page(() => import('../pages/sessions.js')) },
      { path: 'sessions/:key', element: page(() => import('../pages/sessions.js')) },
      { path: 'events', element: page(() => import('../pages/events.js')) },
      { path: 'inbox', element: page(() => import('../pages/inbox.js')) },
      { path: 'subscriptions', element: page(() => import('../pages/subscriptions.js')) },
      { path: 'explain', element: page(() => import('../pages/explain.js')) },
      { path: 'reach', element: page(() => import('../pages/reach.js')) },
      { path: 'automation', element: page(() => import('../pages/automation.js')) },
      { path: 'policies', element: page(() => import('../pages/policies.js')) },
      { path: 'publish', element: page(() => import('../pages/publish.js')) },
      { path: 'memory', element: page(() => import('../pages/memory.js')) },
      { path: 'vms', element: page(() => import('../pages/vms.js')) },
      { path: 'vms/:id', element: page(() => import('../pages/vms.js')) },
      { path: 'routing', element: page(() => import('../pages/routing.js')) },
      { path: 'dead-letters', element: page(() => import('../pages/dead-letters.js')) },
      { path: 'config', element: page(() => import('../pages/config.js')) },
      { path: '*', element: <NotFound /> },
    ],
  },
]);

export function App() {
  return (
    <SessionProvider signIn={SignInPage}>
      <InboxProvider>
        <Toasts>
          <RouterProvider router={router} />
        </Toasts>
      </InboxProvider>
    </SessionProvider>
  );
}
