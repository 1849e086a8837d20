import { Activity } from 'lucide-react';
import { lazy, type RefObject, Suspense } from 'react';
import type { Player } from '../../player/player';
import type { PlayerState } from '../../player/state';
import { Pill } from '../../ui/pill';
import { clock } from '../../ui/time';
import {
  ControlButton,
  PlayButton,
  type ScreenActs,
  ScreenButtons,
  Sound,
  useFullScreen,
} from '../picture/control_buttons';
import { LiveSeekBar } from './live_seek_bar';
import { TransportName } from './transport_name';

/** Their menu library is not to hold up the picture. */
const QualityMenu = lazy(() => import('../picture/quality_menu'));
const LatencyMenu = lazy(() => import('./latency_menu'));

interface Acts extends ScreenActs {
  togglePlay: () => void;
  toggleMute: () => void;
  toggleStats: () => void;
  liveEdge: () => void;
}

export function Controls({
  player,
  state,
  act,
  hidden,
  theater,
  statsShown,
  container,
}: {
  player: Player;
  state: PlayerState;
  act: Acts;
  hidden: boolean;
  theater: boolean;
  statsShown: boolean;
  container: RefObject<HTMLElement | null>;
}) {
  const fullScreen = useFullScreen();
  const { phase } = state;
  const usable = phase.name === 'live' || phase.name === 'host_reconnecting';
  if (!usable) return null;
  return (
    <div
      data-controls
      className={`pointer-events-none absolute inset-x-0 bottom-0 bg-linear-to-t from-black/80 via-black/45 to-transparent px-1 pt-12 pb-[max(0.25rem,env(safe-area-inset-bottom))] transition-opacity duration-150 sm:px-3 sm:pb-2 ${
        hidden ? 'opacity-0 focus-within:opacity-100' : ''
      }`}
    >
      <div className={hidden ? '' : 'pointer-events-auto'}>
        <LiveSeekBar player={player} state={state} />
        <div className="flex items-center">
          <PlayButton paused={state.paused} onClick={act.togglePlay} />
          <Sound screen={player.screen} state={state} onMute={act.toggleMute} />
          {phase.name === 'live' && <LiveMark state={state} onClick={act.liveEdge} />}
          <Suspense fallback={<TransportName state={state} />}>
            <LatencyMenu player={player} state={state} container={container} />
          </Suspense>
          <div className="ml-auto flex items-center">
            <Suspense fallback={null}>
              <QualityMenu
                qualities={state.qualities}
                pinned={state.pinned}
                stats={state.stats}
                container={container}
                onChoose={(id) => void player.chooseQuality(id)}
                onStats={act.toggleStats}
                onPip={act.togglePip}
              />
            </Suspense>
            <ControlButton
              label="Statistics"
              hint="Shift+S"
              pressed={statsShown}
              onClick={act.toggleStats}
              wide
            >
              <Activity size={20} />
            </ControlButton>
            <ScreenButtons act={act} theater={theater} fullScreen={fullScreen} />
          </div>
        </div>
      </div>
    </div>
  );
}

/** Red at the live edge; a way back from everywhere else. */
function LiveMark({ state, onClick }: { state: PlayerState; onClick: () => void }) {
  const { timeline, rewound, paused } = state;
  if (rewound || paused) {
    const behindMs = timeline ? timeline.endMs - timeline.positionMs : 0;
    return (
      <button
        type="button"
        onClick={onClick}
        title="Go live (End)"
        className="mr-0.5 ml-1 flex min-h-11 shrink-0 items-center gap-2 rounded-md px-1.5 text-xs font-bold tracking-wide whitespace-nowrap uppercase tabular-nums"
      >
        <span aria-hidden className="size-2 rounded-full bg-ink-3" />
        Go live
        {behindMs > 1500 && (
          <span className="font-semibold text-ink-2 max-sm:hidden">−{clock(behindMs)}</span>
        )}
      </button>
    );
  }
  return (
    <span className="mr-0.5 ml-1.5 shrink-0">
      <Pill tone="live" dot>
        Live
      </Pill>
    </span>
  );
}
