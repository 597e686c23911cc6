/** Made known in the page by Web Push: this browser is told also while the page is closed. */

/** Why a browser cannot be told. */
export type WebPushState = 'possible' | 'impossible';

export const webPushState = (): WebPushState =>
  'serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window ? 'possible' : 'impossible';

const WORKER = '/push-worker.js';

/** The endpoint of this browser, when it has subscribed. */
export async function ownEndpoint(): Promise<string | undefined> {
  if (webPushState() === 'impossible') return undefined;
  const registration = await navigator.serviceWorker.getRegistration(WORKER);
  return (await registration?.pushManager.getSubscription())?.endpoint;
}

/** Asks the person, then the browser. `refused`: the person (or the browser for them) does not want notifications. */
export async function subscribeBrowser(key: string): Promise<PushSubscriptionJSON | 'refused'> {
  if ((await Notification.requestPermission()) !== 'granted') return 'refused';
  await navigator.serviceWorker.register(WORKER);
  const { pushManager } = await navigator.serviceWorker.ready;
  const before = await pushManager.getSubscription();
  // One for another key is refused by the push service, and another cannot stand beside it.
  if (before !== null && keyOf(before) !== plain(key)) await before.unsubscribe();
  return (await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: plain(key) })).toJSON();
}

/** Nothing more is sent here, whoever still knows the address. */
export async function unsubscribeBrowser(): Promise<void> {
  if (webPushState() === 'impossible') return;
  const registration = await navigator.serviceWorker.getRegistration(WORKER);
  await (await registration?.pushManager.getSubscription())?.unsubscribe();
}

/** Where a notification that was clicked leads in this page. Returns what ends it. */
export function onNotificationClick(go: (path: string) => void): () => void {
  const workers = 'serviceWorker' in navigator ? navigator.serviceWorker : undefined;
  const listener = ({ data }: MessageEvent<{ go?: unknown } | null>) => {
    if (data?.go === '/inbox') go('/inbox');
  };
  workers?.addEventListener('message', listener);
  return () => workers?.removeEventListener('message', listener);
}

const plain = (key: string): string => key.replace(/=+$/, '');

function keyOf({ options }: PushSubscription): string | undefined {
  if (options.applicationServerKey === null) return undefined;
  const bytes = String.fromCharCode(...new Uint8Array(options.applicationServerKey));
  return plain(btoa(bytes).replaceAll('+', '-').replaceAll('/', '_'));
}
