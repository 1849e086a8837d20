/** A recording's picture with everything that lies on it. */
import { Lock, TriangleAlert, Volume2 } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useRef, useState } from 'react';
import { SOUND } from '../../player/quality';
import type { RecordingPlayer, RecordingState } from '../../player/recording';
import { Button } from '../../ui/button';
import { Spinner } from '../../ui/spinner';
import { screenActs, useRotation } from '../picture/screen_acts';
import { PictureArea, SoundButton } from '../picture/screen_parts';
import { useShortcuts } from '../picture/shortcuts';
import { useIdle } from '../picture/use_idle';
import { RecordingControls } from './controls';

/** The dialog library is for whoever asks. */
const ShortcutList = lazy(() => import('../picture/shortcut_list'));

export function RecordingStage({
  player,
  state,
  title,
  poster,
  storyboardUrl,
  theater,
  onTheater,
}: {
  player: RecordingPlayer;
  state: RecordingState;
  title: string;
  poster: string | null;
  storyboardUrl: string | null;
  theater: boolean;
  onTheater: (theater: boolean) => void;
}) {
  const stage = useRef<HTMLDivElement>(null);
  const [helpShown, setHelpShown] = useState(false);
  const { idle, wake } = useIdle(stage);
  useRotation(stage);

  const act = {
    ...screenActs(player.screen, stage, state),
    togglePlay: () => player.togglePlay(),
    toggleTheater: () => onTheater(!theater),
    toggleHelp: () => setHelpShown((shown) => !shown),
    liveEdge: () => player.seekTo(state.durationMs),
    seekBy: (seconds: number) => player.seekBy(seconds),
    stepRate: (step: 1 | -1) => player.stepRate(step),
    close: () => {
      if (theater) onTheater(false);
    },
  };
  useShortcuts(act, wake);

  const { phase } = state;
  const hideChrome = idle && phase.name === 'ready' && !state.paused && !helpShown;
  return (
    <section
      ref={stage}
      aria-label={`Video: ${title}`}
      className={`on-video group relative w-full overflow-hidden bg-black text-ink select-none ${
        theater ? 'h-full' : 'aspect-video sm:rounded-card'
      } ${theater ? '' : 'sm:outline-1 sm:outline-line'} ${hideChrome ? 'cursor-none' : ''}`}
    >
      {poster && phase.name === 'loading' && (
        <img src={poster} alt="" className="absolute inset-0 h-full w-full object-contain opacity-60" />
      )}
      <PictureArea
        screen={player.screen}
        dimmed={phase.name === 'failed'}
        idle={idle}
        wake={wake}
        togglePlay={act.togglePlay}
        toggleFullScreen={act.toggleFullScreen}
      />
      <Message player={player} state={state} />
      {phase.name === 'ready' && state.muted && !state.needsTap && (
        <SoundButton onTap={() => player.screen.setMuted(false)} />
      )}
      <RecordingControls
        player={player}
        state={state}
        act={act}
        storyboardUrl={storyboardUrl}
        hidden={hideChrome}
        theater={theater}
        container={stage}
      />
      {helpShown && (
        <Suspense fallback={null}>
          <ShortcutList container={stage} recording onClose={() => setHelpShown(false)} />
        </Suspense>
      )}
    </section>
  );
}

/** Every state that is not simply the picture. */
function Message({ player, state }: { player: RecordingPlayer; state: RecordingState }) {
  const { phase } = state;
  if (phase.name === 'failed') {
    return (
      <Panel
        icon={<TriangleAlert size={28} className="text-warn-text" />}
        title="The video cannot be played"
        text={phase.reason}
        action={
          <Button look="primary" onClick={() => player.retry()}>
            Try again
          </Button>
        }
      />
    );
  }
  // What is shut has a panel of its own; here it is not known what for.
  if (phase.name === 'barred') {
    return (
      <Panel
        icon={<Lock size={28} />}
        title="You cannot watch this now"
        text="The server does not let you in."
        action={
          <Button look="primary" onClick={() => player.retry()}>
            Try again
          </Button>
        }
      />
    );
  }
  if (phase.name === 'loading' && !state.needsTap) {
    return <Panel icon={<Spinner size={28} />} title="Loading" text="The video begins in a moment." />;
  }
  if (phase.name === 'ready' && state.pinned === SOUND) {
    return (
      <Panel
        icon={<Volume2 size={28} />}
        title="Sound only"
        text="You chose to listen without a picture."
        action={<Button onClick={() => player.chooseQuality(null)}>Show the picture</Button>}
      />
    );
  }
  if (phase.name === 'ready' && state.waiting) {
    return <Panel icon={<Spinner size={28} />} title="Waiting for the network" text="" bare />;
  }
  return null;
}

function Panel({
  icon,
  title,
  text,
  action,
  bare = false,
}: {
  icon: ReactNode;
  title: string;
  text: string;
  action?: ReactNode;
  /** The picture shows through. */
  bare?: boolean;
}) {
  return (
    <div
      className={`pointer-events-none absolute inset-0 flex items-center justify-center p-4 ${bare ? '' : 'bg-black/60'}`}
    >
      <div className="pointer-events-auto flex max-w-sm flex-col items-center text-center">
        <span aria-hidden className="mb-2 text-ink-2">
          {icon}
        </span>
        <div role="status">
          <p className="text-base font-semibold">{title}</p>
          {text && <p className="mt-1 text-sm text-ink-2">{text}</p>}
        </div>
        {action && <div className="mt-4">{action}</div>}
      </div>
    </div>
  );
}
