/** Calls mails off, from the link in one of them; no sign-in. */
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { CircleCheck } from 'lucide-react';
import { notifications } from '../../api/notifications';
import { Button, buttonClass } from '../../ui/button';
import { Card } from '../../ui/card';
import { Notice } from '../../ui/notice';
import { Frame } from '../frame';
import { useTitle } from '../title';

export function UnsubscribePage() {
  useTitle('Call mails off');
  // Behind the `#`, which reaches no server and no log.
  const token = location.hash.slice(1);
  const about = useQuery({
    queryKey: ['unsubscribe', token],
    queryFn: () => notifications.mailSubscription(token),
    enabled: token !== '',
  });
  const stop = useMutation({ mutationFn: () => notifications.unsubscribe(token) });
  const done = stop.isSuccess || about.data?.subscribed === false;
  const failure = stop.error ?? about.error;
  return (
    <Frame>
      <div className="mx-auto w-full max-w-lg p-4 pt-10 sm:p-6 sm:pt-16">
        <h1 className="mb-4 text-2xl font-semibold tracking-tight">Call mails off</h1>
        <Card>
          {failure || token === '' ? (
            <Notice title="This link does not work">
              {failure?.message ?? 'It is not whole: open it from the mail again.'}
            </Notice>
          ) : done ? (
            <p role="status" className="flex items-start gap-3 text-sm">
              <CircleCheck aria-hidden size={20} className="mt-px shrink-0 text-ink-2" />
              You get no more mails about {about.data?.about ?? 'this'}. Other ways stay as they are.
            </p>
          ) : (
            <>
              <p className="mb-4 text-sm text-ink-2">
                {about.data ? `You get mails about ${about.data.about}.` : 'One moment.'}
              </p>
              <Button look="primary" disabled={!about.data || stop.isPending} onClick={() => stop.mutate()}>
                Send me none of these any more
              </Button>
            </>
          )}
        </Card>
        <Link to="/settings/notifications" className={`${buttonClass('ghost')} mt-4`}>
          All choices
        </Link>
      </div>
    </Frame>
  );
}
