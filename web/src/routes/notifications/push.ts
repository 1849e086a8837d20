/** Web push in this browser: whether it can, whether it does, and the way in and out. */
import { notifications } from '../../api/notifications';

/** `blocked`: the person said no to the browser; `never`: this browser or address cannot. */
export type PushState = 'on' | 'off' | 'blocked' | 'insecure' | 'never';

const KEPT = 'tallylight.push';

export async function pushState(): Promise<PushState> {
  if (!window.isSecureContext) return 'insecure';
  if (!('serviceWorker' in navigator) || !('PushManager' in window)) return 'never';
  if (Notification.permission === 'denied') return 'blocked';
  const registration = await navigator.serviceWorker.getRegistration('/');
  const subscription = await registration?.pushManager.getSubscription();
  return subscription && localStorage.getItem(KEPT) ? 'on' : 'off';
}

/** Asks for permission, and tells the server where this browser takes pushes. */
export async function switchPushOn(): Promise<void> {
  if ((await Notification.requestPermission()) !== 'granted') {
    throw new Error('Your browser does not allow notifications of this site. Allow them in its settings.');
  }
  const registration = await navigator.serviceWorker.register(worker());
  await navigator.serviceWorker.ready;
  const { key } = await notifications.pushKey();
  // A subscription with an older key of the server gets nothing any more.
  await (await registration.pushManager.getSubscription())?.unsubscribe();
  const subscription = await registration.pushManager
    .subscribe({ userVisibleOnly: true, applicationServerKey: key })
    .catch(() => {
      throw new Error('The push service of your browser cannot be reached. Try again later.');
    });
  const { endpoint, keys } = subscription.toJSON();
  const body = { endpoint: endpoint ?? '', keys: { p256dh: keys?.p256dh ?? '', auth: keys?.auth ?? '' } };
  const { id } = await notifications.addPush(body);
  localStorage.setItem(KEPT, id);
}

export async function switchPushOff(): Promise<void> {
  const registration = await navigator.serviceWorker.getRegistration('/');
  await (await registration?.pushManager.getSubscription())?.unsubscribe();
  const id = localStorage.getItem(KEPT);
  localStorage.removeItem(KEPT);
  // The server may have forgotten it already.
  if (id) await notifications.removePush(id).catch(() => undefined);
}

/** The pages' policy takes no plain text as the address of a script (Trusted Types). */
function worker(): string {
  const types = (window as unknown as { trustedTypes?: TrustedTypes }).trustedTypes;
  const policy = types?.createPolicy('service-worker', { createScriptURL: (url) => url });
  return policy ? policy.createScriptURL('/sw.js') : '/sw.js';
}

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): string };
}
