/** Whether somebody is told of a channel that they follow. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Bell, BellOff } from 'lucide-react';
import { type NotificationSettings, notifications } from '../../api/notifications';
import { Button } from '../../ui/button';
import { SETTINGS, useNotificationSettings } from '../notifications/use_settings';

export function MuteButton({ handle }: { handle: string }) {
  const queries = useQueryClient();
  const muted = useNotificationSettings(true).data?.muted.includes(handle);
  const change = useMutation({
    mutationFn: (mute: boolean) => notifications.mute(handle, mute),
    // A bell that waits for the server looks broken: it turns at once, and back where that fails.
    onMutate: (mute) =>
      queries.setQueryData<NotificationSettings>(
        SETTINGS,
        (known) =>
          known && {
            ...known,
            muted: [...known.muted.filter((other) => other !== handle), ...(mute ? [handle] : [])],
          },
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: SETTINGS }),
  });
  if (muted === undefined) return null;
  const words = muted ? 'You hear nothing of this channel' : 'You are told of this channel';
  return (
    <Button
      look="ghost"
      className="size-11 px-0!"
      aria-label="Mute notifications"
      aria-pressed={muted}
      title={change.error?.message ?? words}
      onClick={() => change.mutate(!muted)}
    >
      {muted ? <BellOff aria-hidden size={18} /> : <Bell aria-hidden size={18} />}
    </Button>
  );
}
