import { Camera, MicOff, WifiOff } from 'lucide-react';
import { useEffect, useRef } from 'react';
import type { AirPhase } from '../../publisher/publisher';
import type { Sources, SourcesState } from '../../publisher/sources';
import { Button } from '../../ui/button';
import { Spinner } from '../../ui/spinner';
import { useNow } from '../../ui/time';

/** Your own picture: framed green before air and red on air. The camera is mirrored, for you alone. */
export function Preview({
  sources,
  media,
  phase,
  unseen,
  onRetry,
}: {
  sources: Sources;
  media: SourcesState;
  phase: AirPhase;
  /** On air, and nobody else is told of it yet. */
  unseen: boolean;
  onRetry: () => void;
}) {
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = media.preview;
  }, [media.preview]);
  const frame =
    phase.name === 'live' && !unseen
      ? 'tally-live'
      : phase.name === 'reconnecting'
        ? 'outline-2 outline-warn'
        : 'tally-preview';
  return (
    <section
      aria-label="Your picture"
      className={`on-video relative aspect-video max-h-[calc(100dvh-15rem)] min-h-52 w-full overflow-hidden rounded-card bg-black text-ink ${frame}`}
    >
      <video
        ref={video}
        autoPlay
        muted
        playsInline
        className={`h-full w-full object-contain ${media.picture === 'camera' ? '-scale-x-100' : ''} ${media.preview ? '' : 'hidden'}`}
      />
      {!media.asked && (
        <div className="absolute inset-0 flex flex-col items-center justify-center gap-4 p-6 text-center">
          <Camera aria-hidden size={32} className="text-ink-2" />
          <div>
            <p className="font-semibold">Check your picture and sound first</p>
            <p className="mt-1 text-sm text-ink-2">Nobody sees you before you press Go live.</p>
          </div>
          <Button look="primary" onClick={() => void sources.open()}>
            Turn on camera and microphone
          </Button>
        </div>
      )}
      {media.busy && (
        <div className="absolute inset-0 flex items-center justify-center gap-3 text-sm text-ink-2">
          <Spinner /> Waiting for your answer to the browser's question
        </div>
      )}
      {media.asked && (!media.microphoneOn || media.microphoneId === null) && !media.busy && (
        <span className="absolute top-3 left-3 inline-flex items-center gap-2 rounded-full bg-black/70 px-3 py-1.5 text-sm font-medium">
          <MicOff aria-hidden size={16} className="text-warn-text" />
          {media.microphoneId === null ? 'No microphone' : 'Muted'}
        </span>
      )}
      {phase.name === 'reconnecting' && <Reconnecting deadline={phase.deadline} onRetry={onRetry} />}
    </section>
  );
}

function Reconnecting({ deadline, onRetry }: { deadline: number; onRetry: () => void }) {
  const now = useNow();
  return (
    <div className="absolute inset-0 flex flex-col items-center justify-center bg-black/70 p-6 text-center">
      <WifiOff aria-hidden size={28} className="text-warn-text" />
      <div role="status" className="mt-3">
        <p className="text-lg font-semibold">Your connection dropped</p>
        <p className="mt-1 text-sm text-ink-2">Viewers see that you are reconnecting.</p>
      </div>
      <p className="text-sm text-ink-2 tabular-nums">
        The stream stays open for {Math.max(0, Math.ceil((deadline - now) / 1000))} s.
      </p>
      <Button look="primary" className="mt-4" onClick={onRetry}>
        Try now
      </Button>
    </div>
  );
}
