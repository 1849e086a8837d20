import { Link } from '@tanstack/react-router';
import type { AirPhase } from '../../publisher/publisher';
import { Button, buttonClass } from '../../ui/button';
import { Notice } from '../../ui/notice';
import { Spinner } from '../../ui/spinner';

/** What the creator must know besides the picture: why not on air, what is still open, how it ended. */
export function Announcements({
  phase,
  heldByServer,
  source,
  state,
  onResume,
  onEnd,
}: {
  phase: AirPhase;
  heldByServer: boolean;
  source: string | null;
  state: string | null;
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
    const words = {
      you: ['Your stream has ended', 'Nobody sees or hears you now.'],
      too_long: [
        'Your stream has ended',
        'The connection was away for more than 30 seconds, so the server closed the stream. Go live again when your network is back.',
      ],
      elsewhere: [
        'Your stream was ended',
        'It was ended on the server or the dashboard. Nobody sees or hears you now.',
      ],
    }[phase.why];
    return (
      <Notice tone="info" title={words[0]}>
        {words[1]}
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
          ? 'Viewers see that you are reconnecting. Resume within half a minute and the same stream goes on.'
          : `It is sent from another tab or encoder${source ? ` (${source.toUpperCase()})` : ''}. Stop that one before you go live here.`}
      </Notice>
    );
  }
  return null;
}
