/** What somebody is told of, and by which ways. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { type NotificationSettings, notifications } from '../../api/notifications';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { Notice } from '../../ui/notice';
import { Opening } from '../no_answer';
import { SettingsFrame } from '../settings/frame';
import { PushCard } from './push_card';
import { SETTINGS, useNotificationSettings } from './use_settings';

type Choice = NotificationSettings['choices'][number];
type ChoiceEdit = Parameters<typeof notifications.choose>[0];

const KINDS: Record<string, [string, string]> = {
  live: ['A channel goes live', 'One that you follow.'],
  scheduled: ['A stream is planned', 'On a channel that you follow.'],
  recording_ready: ['A recording is ready', 'On a channel of yours.'],
  new_follower: ['New followers', 'On a channel of yours, several in one.'],
};
const WAYS = [
  ['in_app', 'Bell'],
  ['push', 'Browser'],
  ['email', 'E-mail'],
] as const;

export function NotificationsPage() {
  return <SettingsFrame>{() => <Notifications />}</SettingsFrame>;
}

function Notifications() {
  const settings = useNotificationSettings(true);
  if (!settings.data) {
    return (
      <Opening
        what="your notifications"
        error={settings.failureReason}
        onRetry={() => void settings.refetch()}
      />
    );
  }
  return (
    <>
      <Choices settings={settings.data} />
      <PushCard />
      <TestCard />
      {settings.data.muted.length > 0 && <Muted handles={settings.data.muted} />}
    </>
  );
}

function Choices({ settings }: { settings: NotificationSettings }) {
  const queries = useQueryClient();
  // A box that waits for the server looks broken: it turns at once, and back where that fails.
  const [shown, setShown] = useState(settings.choices);
  useEffect(() => setShown(settings.choices), [settings.choices]);
  const choose = useMutation({
    mutationFn: notifications.choose,
    onSuccess: (changed) => queries.setQueryData(SETTINGS, changed),
    onError: () => setShown(settings.choices),
  });
  const turn = (choice: ChoiceEdit) => {
    setShown((known) =>
      known.map((one) => ({
        ...one,
        ...(one.kind === choice.kind && {
          in_app: choice.in_app ?? one.in_app,
          email: choice.email ?? one.email,
          push: choice.push ?? one.push,
        }),
      })),
    );
    choose.mutate(choice);
  };
  return (
    <Card title="What you are told of">
      {choose.error && (
        <div className="mb-3">
          <Notice title="Your choice was not kept">{choose.error.message}</Notice>
        </div>
      )}
      <table className="w-full text-sm">
        <thead>
          <tr className="text-ink-2">
            <th scope="col" className="text-left font-medium">
              <span className="sr-only">What</span>
            </th>
            {WAYS.map(([way, label]) => (
              <th key={way} scope="col" className="w-16 pb-2 text-center font-medium sm:w-24">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((choice) => (
            <Row key={choice.kind} choice={choice} onChoose={turn} />
          ))}
        </tbody>
      </table>
      {!settings.email_works && (
        <p className="mt-4 text-sm text-ink-2">
          E-mail arrives once this server sends mail and your account has a confirmed address.
        </p>
      )}
    </Card>
  );
}

function Row({ choice, onChoose }: { choice: Choice; onChoose: (edit: ChoiceEdit) => void }) {
  const [title, hint] = KINDS[choice.kind] ?? [choice.kind, ''];
  return (
    <tr className="border-t border-line">
      <th scope="row" className="py-2.5 pr-2 text-left font-normal">
        <span className="block font-medium">{title}</span>
        <span className="hidden text-ink-3 sm:block">{hint}</span>
      </th>
      {WAYS.map(([way, label]) => (
        <td key={way} className="text-center">
          <label className="inline-flex size-11 cursor-pointer items-center justify-center">
            <span className="sr-only">
              {title}: {label}
            </span>
            <input
              type="checkbox"
              checked={choice[way]}
              onChange={(event) => onChoose({ kind: choice.kind, [way]: event.target.checked })}
              className="size-5 accent-ink"
            />
          </label>
        </td>
      ))}
    </tr>
  );
}

function TestCard() {
  const [sent, setSent] = useState(false);
  const test = useMutation({ mutationFn: notifications.test, onSuccess: () => setSent(true) });
  return (
    <Card title="Try it">
      <p className="mb-4 text-sm text-ink-2">
        Sends one notification to your bell, and to your browsers that take them.
      </p>
      {test.error && <Notice title="It was not sent">{test.error.message}</Notice>}
      {sent && !test.error && (
        <div className="mb-4">
          <Notice tone="info" title="Sent">
            It stands behind the bell now. Nothing in your browser? Then see above, or look at the settings of
            your system.
          </Notice>
        </div>
      )}
      <Button disabled={test.isPending} onClick={() => test.mutate()}>
        Send a test notification
      </Button>
    </Card>
  );
}

function Muted({ handles }: { handles: string[] }) {
  const queries = useQueryClient();
  const unmute = useMutation({
    mutationFn: (handle: string) => notifications.mute(handle, false),
    onSuccess: () => queries.invalidateQueries({ queryKey: SETTINGS }),
  });
  return (
    <Card title="Muted channels">
      <p className="mb-2 text-sm text-ink-2">You follow them, and hear nothing of them.</p>
      {unmute.error && <Notice title="That did not work">{unmute.error.message}</Notice>}
      <ul className="divide-y divide-line">
        {handles.map((handle) => (
          <li key={handle} className="flex min-h-13 items-center justify-between gap-3 text-sm">
            <a href={`/@${handle}`} className="truncate font-medium hover:underline">
              @{handle}
            </a>
            <Button size="sm" disabled={unmute.isPending} onClick={() => unmute.mutate(handle)}>
              Tell me again
            </Button>
          </li>
        ))}
      </ul>
    </Card>
  );
}
