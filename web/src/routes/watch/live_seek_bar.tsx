import type { Player } from '../../player/player';
import type { PlayerState } from '../../player/state';
import { behindWords } from '../../player/timeline';
import { clock } from '../../ui/time';
import { SeekBar } from '../picture/seek_bar';
import { useStoryboard } from '../picture/use_storyboard';

/** A new picture comes this often. */
const FRESH_MS = 10_000;
/** A window shorter than this is not worth a bar. */
const WORTH_MS = 5000;

/** The part of the stream that can be seen again. */
export function LiveSeekBar({ player, state }: { player: Player; state: PlayerState }) {
  const { timeline, rewound, paused, channel } = state;
  const path = channel?.hls ? channel.hls.url.replace(/[^/]*$/, 'storyboard.json') : null;
  const { look, pictureAt } = useStoryboard(path, FRESH_MS);
  if (!timeline || timeline.endMs - timeline.startMs < WORTH_MS) return null;
  const { startMs, endMs, positionMs } = timeline;
  const live = !rewound && !paused;
  return (
    <SeekBar
      startMs={startMs}
      endMs={endMs}
      positionMs={live ? endMs : positionMs}
      label={(ms) => (endMs - ms < 1000 ? 'Live' : `−${clock(endMs - ms)}`)}
      words={(ms) => behindWords(endMs - ms)}
      pictureAt={pictureAt}
      onLook={look}
      onSeek={(ms) => player.rewind.seekTo(ms)}
      onEnd={() => player.rewind.goLive()}
    />
  );
}
