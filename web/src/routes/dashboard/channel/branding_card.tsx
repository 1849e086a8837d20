/** The channel's picture and the one across the top of its page. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { ImageUp, Trash2 } from 'lucide-react';
import { useRef, useState } from 'react';
import { type ChannelPage, channelsApi } from '../../../api/channels';
import { Avatar } from '../../../ui/avatar';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { Notice } from '../../../ui/notice';
import { channelKey } from '../../watch/use_channel';
import { CropDialog } from './crop_dialog';

const MOST_BYTES = 10 * 1024 * 1024;
const KINDS = ['image/png', 'image/jpeg', 'image/webp', 'image/gif'];

const SHAPES = {
  avatar: { name: 'picture', ratio: 1 },
  banner: { name: 'banner', ratio: 4 },
} as const;

export function BrandingCard({ channel }: { channel: ChannelPage }) {
  return (
    <Card title="Pictures">
      <div className="flex flex-col gap-6">
        <Picture handle={channel.handle} shape="avatar" has={channel.avatar_url !== null}>
          <Avatar name={channel.name} url={channel.avatar_url} size="lg" />
        </Picture>
        <Picture handle={channel.handle} shape="banner" has={channel.banner_url !== null}>
          {channel.banner_url ? (
            <img
              src={channel.banner_url}
              alt="The banner"
              className="aspect-4/1 w-full rounded-control object-cover"
            />
          ) : (
            <div className="flex aspect-4/1 w-full items-center justify-center rounded-control border border-dashed border-line-strong text-sm text-ink-3">
              No banner yet
            </div>
          )}
        </Picture>
      </div>
    </Card>
  );
}

function Picture({
  handle,
  shape,
  has,
  children,
}: {
  handle: string;
  shape: keyof typeof SHAPES;
  has: boolean;
  children: React.ReactNode;
}) {
  const { name, ratio } = SHAPES[shape];
  const input = useRef<HTMLInputElement>(null);
  const [file, setFile] = useState<File | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => channelsApi.removePicture(handle, shape),
    onSuccess: () => queries.invalidateQueries({ queryKey: channelKey(handle) }),
  });
  const choose = (chosen: File | undefined) => {
    if (!chosen) return;
    const wrong = problemOf(chosen);
    setProblem(wrong);
    if (!wrong) setFile(chosen);
  };
  return (
    <div className="flex flex-col gap-3">
      {children}
      <input
        ref={input}
        type="file"
        accept={KINDS.join(',')}
        aria-label={`Choose a ${name}`}
        className="sr-only"
        tabIndex={-1}
        onChange={(event) => {
          choose(event.target.files?.[0]);
          event.target.value = '';
        }}
      />
      <div className="flex flex-wrap gap-2">
        <Button size="sm" onClick={() => input.current?.click()}>
          <ImageUp aria-hidden size={16} />
          {has ? `Change the ${name}` : `Upload a ${name}`}
        </Button>
        {has && (
          <Button size="sm" look="ghost" disabled={remove.isPending} onClick={() => remove.mutate()}>
            <Trash2 aria-hidden size={16} />
            Remove the {name}
          </Button>
        )}
      </div>
      {(problem ?? remove.error) && (
        <Notice title="This picture cannot be taken">{problem ?? remove.error?.message}</Notice>
      )}
      {file && (
        <CropDialog
          file={file}
          ratio={ratio}
          title={`Choose the part for the ${name}`}
          upload={(crop) => channelsApi.upload(handle, shape, file, crop)}
          onUploaded={() => queries.invalidateQueries({ queryKey: channelKey(handle) })}
          onClose={() => setFile(null)}
        />
      )}
    </div>
  );
}

/** What the server would refuse, said before it is sent. */
function problemOf(file: File): string | null {
  if (file.type === 'image/svg+xml') {
    return 'SVG drawings are not taken, for they can hold programs. Save it as PNG.';
  }
  if (file.size > MOST_BYTES) {
    const megabytes = Math.round(file.size / 1024 / 1024);
    return `It has ${megabytes} MB, and 10 MB is the most. Save it smaller, or as JPEG.`;
  }
  return null;
}
