/** The channel's picture and the one across the top of its page. */
import { useQueryClient } from '@tanstack/react-query';
import { type ChannelPage, channelsApi } from '../../../api/channels';
import { Avatar } from '../../../ui/avatar';
import { Card } from '../../../ui/card';
import { PictureUpload } from '../../upload/picture_upload';
import { channelKey } from '../../watch/use_channel';

export function BrandingCard({ channel }: { channel: ChannelPage }) {
  const { handle, name, avatar_url, banner_url } = channel;
  const queries = useQueryClient();
  const of = (shape: 'avatar' | 'banner') => ({
    upload: channelsApi.setPicture(handle, shape),
    remove: () => channelsApi.removePicture(handle, shape),
    onChanged: () => queries.invalidateQueries({ queryKey: channelKey(handle) }),
  });
  return (
    <Card title="Pictures">
      <div className="flex flex-col gap-6">
        <PictureUpload name="picture" ratio={1} has={avatar_url != null} {...of('avatar')}>
          <Avatar name={name} url={avatar_url ?? null} size="lg" />
        </PictureUpload>
        <PictureUpload name="banner" ratio={4} has={banner_url != null} {...of('banner')}>
          {banner_url ? (
            <img
              src={banner_url}
              alt="The banner"
              className="aspect-4/1 w-full rounded-control object-cover"
            />
          ) : (
            <div className="flex aspect-4/1 w-full items-center justify-center rounded-control border border-dashed border-line-strong text-sm text-ink-3">
              No banner yet
            </div>
          )}
        </PictureUpload>
      </div>
    </Card>
  );
}
