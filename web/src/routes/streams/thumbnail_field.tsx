import { type Stream, streamsApi } from '../../api/streams';
import { PictureUpload } from '../upload/picture_upload';

/** The picture that stands for a stream in lists and where it is shared. */
export function ThumbnailField({ stream, onChanged }: { stream: Stream; onChanged: () => Promise<unknown> }) {
  const { id, thumbnail_url: url } = stream;
  return (
    <div>
      <p className="mb-1.5 text-sm font-medium">Picture</p>
      <PictureUpload
        name="picture"
        ratio={16 / 9}
        has={url != null}
        upload={(file, crop) => streamsApi.setThumbnail(id, file, crop)}
        remove={() => streamsApi.removeThumbnail(id)}
        onChanged={onChanged}
      >
        <span className="flex aspect-video w-32 shrink-0 items-center justify-center overflow-hidden rounded-control border border-line bg-surface-2 text-ink-3">
          {url ? (
            <img src={url} alt="" className="h-full w-full object-cover" />
          ) : (
            <span className="px-2 text-center text-xs">From the video</span>
          )}
        </span>
      </PictureUpload>
    </div>
  );
}
