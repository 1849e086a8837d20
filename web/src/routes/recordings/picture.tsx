import { Film } from 'lucide-react';
import { useState } from 'react';
import type { Recording } from '../../api/types';
import { clock } from '../../ui/time';

/** A recording's small picture with its length. */
export function RecordingPicture({ recording }: { recording: Recording }) {
  const [failed, setFailed] = useState(false);
  const url = recording.thumbnail_url;
  return (
    <div className="relative flex aspect-video items-center justify-center overflow-hidden bg-radial from-surface-3 to-surface-1">
      {url && !failed ? (
        <img
          src={url}
          alt=""
          loading="lazy"
          onError={() => setFailed(true)}
          className="absolute inset-0 h-full w-full object-cover"
        />
      ) : (
        <Film aria-hidden size={28} className="text-ink-3" />
      )}
      {recording.state !== 'recording' && (
        <span className="absolute right-2 bottom-2 rounded-md bg-surface-0/85 px-1.5 py-0.5 text-xs font-medium text-ink tabular-nums">
          {clock(recording.duration_ms)}
        </span>
      )}
    </div>
  );
}
