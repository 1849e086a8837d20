import { lazy, type RefObject, Suspense } from 'react';
import type { RecordingPlayer, RecordingState } from '../../player/recording';
import { durationWords } from '../../player/timeline';
import { clock } from '../../ui/time';
import { PlayButton, type ScreenActs, ScreenButtons, Sound, useFullScreen } from '../picture/control_buttons';
import { SeekBar } from '../picture/seek_bar';
import { useStoryboard } from '../picture/use_storyboard';

/** Their menu library is not to hold up the picture. */
const QualityMenu = lazy(() => import('../picture/quality_menu'));
const SpeedMenu = lazy(() => import('./speed_menu'));

interface Acts extends ScreenActs {
  togglePlay: () => void;
  toggleMute: () => void;
}

export function RecordingControls({
  player,
  state,
  act,
  storyboardUrl,
  hidden,
  theater,
  container,
}: {
  player: RecordingPlayer;
  state: RecordingState;
  act: Acts;
  storyboardUrl: string | null;
  hidden: boolean;
  theater: boolean;
  container: RefObject<HTMLElement | null>;
}) {
  const fullScreen = useFullScreen();
  const { board, look, pictureAt } = useStoryboard(storyboardUrl, Number.POSITIVE_INFINITY);
  const { phase, positionMs, durationMs } = state;
  if (durationMs === 0 || phase.name === 'failed') return null;
  const wallTime = (ms: number) => player.wallTime(ms) ?? (board?.startMs ?? 0) + ms;
  const at = (ms: number) => `${durationWords(ms / 1000)} of ${durationWords(durationMs / 1000)}`;
  return (
    <div
      data-controls
      className={`pointer-events-none absolute inset-x-0 bottom-0 bg-linear-to-t from-black/80 via-black/45 to-transparent px-1 pt-12 pb-[max(0.25rem,env(safe-area-inset-bottom))] transition-opacity duration-150 sm:px-3 sm:pb-2 ${
        hidden ? 'opacity-0 focus-within:opacity-100' : ''
      }`}
    >
      <div className={hidden ? '' : 'pointer-events-auto'}>
        <SeekBar
          startMs={0}
          endMs={durationMs}
          positionMs={positionMs}
          label={clock}
          words={at}
          pictureAt={(ms) => pictureAt(wallTime(ms))}
          onLook={look}
          onSeek={(ms) => player.seekTo(ms)}
          onEnd={() => player.seekTo(durationMs)}
        />
        <div className="flex items-center">
          <PlayButton paused={state.paused} onClick={act.togglePlay} />
          <Sound screen={player.screen} state={state} onMute={act.toggleMute} />
          <span className="ml-1 text-sm whitespace-nowrap text-ink-2 tabular-nums">
            <span className="text-ink">{clock(positionMs)}</span> / {clock(durationMs)}
          </span>
          <div className="ml-auto flex items-center">
            <Suspense fallback={null}>
              <SpeedMenu rate={state.rate} container={container} onChoose={(rate) => player.setRate(rate)} />
              <QualityMenu
                qualities={state.qualities}
                pinned={state.pinned}
                stats={state.stats}
                container={container}
                onChoose={(id) => player.chooseQuality(id)}
                onPip={act.togglePip}
              />
            </Suspense>
            <ScreenButtons act={act} theater={theater} fullScreen={fullScreen} />
          </div>
        </div>
      </div>
    </div>
  );
}
