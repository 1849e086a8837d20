/** Who may not write, until when and why. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { chatApi } from '../../api/chat';
import { Button } from '../../ui/button';

export function RestrainedList({ handle }: { handle: string }) {
  const queries = useQueryClient();
  const queryKey = ['chat', handle, 'restraints'];
  const list = useQuery({ queryKey, queryFn: () => chatApi.restraints(handle), refetchInterval: 10_000 });
  const release = useMutation({
    mutationFn: (subject: string) => chatApi.release(handle, subject),
    onSettled: () => queries.invalidateQueries({ queryKey }),
  });
  const items = list.data?.items ?? [];
  const problem = list.error ?? release.error;
  return (
    <>
      {problem && (
        <p role="alert" className="text-sm text-warn-text">
          {problem.message}
        </p>
      )}
      {list.data && items.length === 0 && (
        <p className="text-sm text-ink-3">Nobody is banned or timed out.</p>
      )}
      <ul aria-label="Banned and timed out" className="flex flex-col divide-y divide-line">
        {items.map(({ subject, name, kind, until, reason, by }) => (
          <li key={subject} className="flex min-h-12 items-center gap-3 py-2 text-sm">
            <span className="min-w-0 flex-1">
              <bdi className="font-medium break-words">{name}</bdi>
              <span className="block text-xs break-words text-ink-3">
                {kind === 'ban' ? 'Banned' : `Timed out${untilWords(until)}`}
                {by && ` by ${by}`}
                {reason && `: ${reason}`}
              </span>
            </span>
            <Button
              size="sm"
              look="ghost"
              aria-label={`${kind === 'ban' ? 'Unban' : 'End the time-out of'} ${name}`}
              disabled={release.isPending}
              onClick={() => release.mutate(subject)}
            >
              {kind === 'ban' ? 'Unban' : 'End'}
            </Button>
          </li>
        ))}
      </ul>
    </>
  );
}

const untilWords = (at: string | null | undefined): string =>
  at == null ? '' : ` until ${new Date(at).toLocaleString([], { dateStyle: 'short', timeStyle: 'short' })}`;
