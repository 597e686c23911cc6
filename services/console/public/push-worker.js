// Shows what push sends to this browser, also while no page of the console is open. A click leads to the inbox.
self.addEventListener('push', (event) => {
  const { title = 'Plexus', body = '', tag, priority } = read(event.data);
  const options = { body, icon: '/favicon.svg', requireInteraction: priority === 'P0', ...(tag && { tag, renotify: true }) };
  event.waitUntil(self.registration.showNotification(title, options));
});

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(openInbox());
});

/** What is no JSON of ours is shown as it is: a browser takes the right away from who shows nothing. */
function read(data) {
  try {
    const said = data?.json();
    return typeof said === 'object' && said !== null ? said : {};
  } catch {
    return { body: data?.text() ?? '' };
  }
}

/** A page that is open is signed in already. */
async function openInbox() {
  const [page] = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  if (page === undefined) return self.clients.openWindow('/inbox');
  page.postMessage({ go: '/inbox' });
  return page.focus();
}
