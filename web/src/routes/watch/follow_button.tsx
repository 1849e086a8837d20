/** Follows a channel; whoever is not signed in goes there first and comes back. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Check, Heart } from 'lucide-react';
import { type ChannelPage, channelsApi } from '../../api/channels';
import { Button } from '../../ui/button';
import { COUNT } from '../../ui/time';
import { useAccount } from '../account';
import { askAccessAgain } from '../gates/access';
import { MuteButton } from './mute_button';
import { channelKey } from './use_channel';

export function FollowButton({ channel }: { channel: ChannelPage }) {
  const account = useAccount();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const key = channelKey(channel.handle);
  const change = useMutation({
    mutationFn: (follow: boolean) => channelsApi.follow(channel.handle, follow),
    onSuccess: (_, follow) => {
      queries.setQueryData(
        key,
        (shown: ChannelPage | undefined) =>
          shown && {
            ...shown,
            following: follow,
            followers: shown.followers + Number(follow) - Number(shown.following),
          },
      );
    },
    onSettled: () => askAccessAgain(queries, channel.handle),
  });
  const { following } = channel;
  const press = () => {
    if (account) change.mutate(!following);
    else void navigate({ to: '/login', search: { next: location.pathname } });
  };
  return (
    <>
      <Button
        look={following ? 'secondary' : 'primary'}
        aria-pressed={following}
        disabled={change.isPending}
        title={change.error?.message}
        onClick={press}
      >
        {following ? <Check aria-hidden size={16} /> : <Heart aria-hidden size={16} />}
        {following ? 'Following' : 'Follow'}
      </Button>
      {change.error && (
        <span role="alert" className="text-sm text-warn-text">
          {change.error.message}
        </span>
      )}
    </>
  );
}

/** The button, whether its news is told, and how many follow. */
export function Following({ channel }: { channel: ChannelPage }) {
  return (
    <div className="flex items-center gap-1">
      <FollowButton channel={channel} />
      {channel.following && <MuteButton handle={channel.handle} />}
      <span className="ml-2 hidden text-sm whitespace-nowrap text-ink-3 tabular-nums sm:inline">
        {COUNT.format(channel.followers)} {channel.followers === 1 ? 'follower' : 'followers'}
      </span>
    </div>
  );
}
