import { Button } from '../ui/button';
import { Notice } from '../ui/notice';
import { Spinner } from '../ui/spinner';
import { duration } from '../ui/time';

/** Instead of a spinner that turns for ever, or of figures that are no longer true. */
export function NoAnswer({
  reason,
  silentMs,
  onRetry,
}: {
  /** Why, where there is an error to tell. */
  reason?: string | null;
  /** How long what is shown has been old. */
  silentMs?: number | null;
  onRetry: () => void;
}) {
  return (
    <Notice
      title="The server does not answer"
      count={silentMs != null && `Last heard ${duration(silentMs)} ago.`}
      action={
        <Button size="sm" onClick={onRetry}>
          Try again
        </Button>
      }
    >
      {reason ?? 'What you see here is from before. It is asked again by itself.'}
    </Notice>
  );
}

/** The whole page while it waits for its first answer: words, and something to do. */
export function Opening({
  what,
  error,
  onRetry,
}: {
  what: string;
  error: Error | null;
  onRetry: () => void;
}) {
  if (error) {
    return (
      <div className="mx-auto mt-10 w-full max-w-md p-4">
        <NoAnswer reason={error.message} onRetry={onRetry} />
      </div>
    );
  }
  return (
    <div className="m-auto flex items-center gap-3 p-8 text-ink-2">
      <Spinner /> Opening {what}
    </div>
  );
}
