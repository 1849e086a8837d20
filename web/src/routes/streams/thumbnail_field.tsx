import { useMutation } from '@tanstack/react-query';
import { ImagePlus, Trash2 } from 'lucide-react';
import { useId } from 'react';
import { type Stream, streamsApi } from '../../api/streams';
import { Button, buttonClass } from '../../ui/button';
import { Notice } from '../../ui/notice';

/** The picture that stands for a stream in lists and where it is shared. */
export function ThumbnailField({ stream, onDone }: { stream: Stream; onDone: () => void }) {
  const id = useId();
  const set = useMutation({
    mutationFn: (picture: File) => streamsApi.setThumbnail(stream.id, picture),
    onSuccess: onDone,
  });
  const remove = useMutation({
    mutationFn: () => streamsApi.removeThumbnail(stream.id),
    onSuccess: onDone,
  });
  const failure = set.error ?? remove.error;
  return (
    <div>
      <p className="mb-1.5 text-sm font-medium">Picture</p>
      <div className="flex flex-wrap items-center gap-3">
        <span className="flex aspect-video w-32 shrink-0 items-center justify-center overflow-hidden rounded-control border border-line bg-surface-2 text-ink-3">
          {stream.thumbnail_url ? (
            <img src={stream.thumbnail_url} alt="" className="h-full w-full object-cover" />
          ) : (
            <span className="px-2 text-center text-xs">From the video</span>
          )}
        </span>
        <label
          htmlFor={id}
          className={`${buttonClass('secondary')} cursor-pointer focus-within:outline-2 focus-within:outline-offset-2 focus-within:outline-ink`}
        >
          <ImagePlus aria-hidden size={18} />
          {set.isPending ? 'Uploading' : 'Choose a picture'}
          <input
            id={id}
            type="file"
            accept="image/png,image/jpeg,image/webp,image/gif"
            className="sr-only"
            disabled={set.isPending}
            onChange={(event) => {
              const picture = event.target.files?.[0];
              event.target.value = '';
              if (picture) set.mutate(picture);
            }}
          />
        </label>
        {stream.thumbnail_url && (
          <Button look="ghost" disabled={remove.isPending} onClick={() => remove.mutate()}>
            <Trash2 aria-hidden size={16} />
            Remove
          </Button>
        )}
      </div>
      {failure && (
        <div className="mt-3">
          <Notice title="That did not work">{failure.message}</Notice>
        </div>
      )}
    </div>
  );
}
