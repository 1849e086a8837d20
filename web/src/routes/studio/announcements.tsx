import { Link } from '@tanstack/react-router';
import type { AirPhase, EndReason } from '../../publisher/publisher';
import { Button, buttonClass } from '../../ui/button';
import { Notice } from '../../ui/notice';
import { Spinner } from '../../ui/spinner';
import { duration } from '../../ui/time';

/** What the creator must know besides the picture: why not on air, what is still open, how it ended. */
export function Announcements({
  phase,
  heldByServer,
  source,
  state,
  windowMs,
  onResume,
  onEnd,
}: {
  phase: AirPhase;
  heldByServer: boolean;
  source: string | null;
  state: string | null;
  /** How long the server keeps the stream of a lost publisher. */
  windowMs: number;
  onResume: () => void;
  onEnd: () => void;
}) {
  if (phase.name === 'starting' && phase.waiting) {
    return (
      <Notice tone="info" title="Waiting for the channel">
        {phase.waiting} Trying again every two seconds.
      </Notice>
    );
  }
  if (phase.name === 'starting') {
    return (
      <p role="status" className="flex items-center gap-3 text-sm text-ink-2">
        <Spinner size={16} /> Connecting to the server. You are not on air yet.
      </p>
    );
  }
  if (phase.name === 'failed') {
    const signedOut = phase.code === 'stream_key_missing';
    return (
      <Notice
        title="You are not on air"
        action={
          signedOut && (
            <Link to="/login" search={{ next: '/studio' }} className={buttonClass('secondary', 'sm')}>
              Sign in
            </Link>
          )
        }
      >
        {signedOut ? 'You were signed out. Sign in again, then go live.' : phase.reason}
      </Notice>
    );
  }
  if (phase.name === 'ended') {
    const [title, text] = endWords(phase.why, windowMs);
    return (
      <Notice
        tone="info"
        title={title}
        action={phase.why === 'taken_over' && <Button onClick={onResume}>Take over again</Button>}
      >
        {text}
      </Notice>
    );
  }
  if (heldByServer) {
    const reconnecting = state === 'reconnecting';
    return (
      <Notice
        tone="info"
        title={reconnecting ? 'Your stream is still open' : 'This channel is on air already'}
        action={
          <>
            {reconnecting && (
              <Button look="preview" size="sm" onClick={onResume}>
                Resume
              </Button>
            )}
            <Button size="sm" onClick={onEnd}>
              End it
            </Button>
          </>
        }
      >
        {reconnecting
          ? `Viewers see that you are reconnecting. Resume within ${duration(windowMs)} of leaving and the same stream goes on.`
          : `It is sent from another tab or encoder${source ? ` (${source.toUpperCase()})` : ''}. Stop that one before you go live here.`}
      </Notice>
    );
  }
  return null;
}

/** How it ended, and what to do. */
function endWords(why: EndReason, windowMs: number): [string, string] {
  switch (why) {
    case 'you':
      return ['Your stream has ended', 'Nobody sees or hears you now.'];
    case 'too_long':
      return [
        'Your stream has ended',
        `${
          windowMs === 0
            ? 'The connection broke, and this server ends a stream at once then.'
            : `Your computer or its network was away for more than ${duration(windowMs)}, so the server closed the stream.`
        } Go live again when you are back.`,
      ];
    case 'lost':
      return [
        'Your stream has ended',
        'The connection to the server broke, and the stream was gone when it was back: the server may have been restarted. Go live again to start a new one.',
      ];
    case 'elsewhere':
      return [
        'Your stream was ended',
        'It was ended on the server or the dashboard. Nobody sees or hears you now.',
      ];
    case 'taken_over':
      return [
        'Another tab or encoder took over',
        'Your channel goes on from there. Nobody sees or hears what this page shows.',
      ];
  }
}
