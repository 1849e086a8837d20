// Shows pushes and opens their pages. It keeps nothing and answers no requests, so that a page is never
// older than the server.
self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('push', (event) => {
  let news = {};
  try {
    news = event.data?.json() ?? {};
  } catch {
    // Whatever it was, browsers want something to be shown for each push.
  }
  const { title = 'Tallylight', body = '', link = '/', tag } = news;
  const shown = { body, tag, icon: '/favicon.svg', badge: '/favicon.svg', data: { link } };
  event.waitUntil(self.registration.showNotification(title, shown));
});

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  // Only pages of our own, whatever the push said.
  const target = new URL(event.notification.data?.link ?? '/', self.location.origin);
  const url = target.origin === self.location.origin ? target.href : self.location.origin;
  event.waitUntil(
    (async () => {
      const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
      const open = pages.find((page) => page.url === url);
      await (open ? open.focus() : self.clients.openWindow(url));
    })(),
  );
});
