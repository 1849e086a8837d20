/** Alerts for an encoder to lay over a picture: nothing else is on this page, and nothing behind it. */
import { useEffect, useState } from 'react';
import { type Alert, AlertQueue } from '../../payments/alerts';
import { useNothingBehind } from '../nothing_behind';
import { useTitle } from '../title';
import { AlertBox } from './alert_box';
import { chime } from './chime';
import { followAlerts, type Link } from './follow';

export function AlertsPage() {
  useTitle('Alerts');
  useNothingBehind();
  // It stays in the address: an encoder opens the same one again.
  const [token] = useState(() => location.hash.slice(1));
  const [shown, setShown] = useState<Alert | null>(null);
  const [link, setLink] = useState<Link>('waiting');
  useEffect(() => {
    const queue = new AlertQueue((alert) => {
      setShown(alert);
      if (alert) chime();
    });
    const stop = followAlerts(token, (alert) => queue.add(alert), setLink);
    return () => {
      stop();
      queue.stop();
    };
  }, [token]);
  return (
    <main id="main" className="on-video flex h-dvh flex-col justify-center overflow-hidden p-4 text-ink">
      <h1 className="sr-only">Alerts</h1>
      {link === 'refused' && (
        <p
          role="alert"
          className="mx-auto max-w-xl rounded-card border border-warn-line bg-warn-soft px-5 py-4 text-lg"
        >
          This address shows alerts no longer. Make a new one in the dashboard, under Money, Alerts, and put
          it in here.
        </p>
      )}
      <div role="status">{shown && <AlertBox key={shown.id} alert={shown} />}</div>
    </main>
  );
}
