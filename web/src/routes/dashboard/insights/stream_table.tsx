import type { StreamInsights } from '../../../api/insights';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { COUNT } from '../../../ui/time';
import { lengthWords, scoreWords, streamName, transportShares, watchWords, whenWords } from './words';

/** All streams with what they came to; on a phone each is a block of its own. */
export function StreamTable({
  streams,
  chosen,
  onChoose,
}: {
  streams: StreamInsights[];
  chosen: string;
  onChoose: (id: string) => void;
}) {
  return (
    <Card title="Your streams">
      <ul className="-mx-2 flex flex-col">
        {streams.map((stream) => (
          <li
            key={stream.id}
            aria-current={stream.id === chosen}
            className="flex flex-wrap items-center gap-x-6 gap-y-3 rounded-control border-b border-line px-2 py-4 last:border-b-0 aria-[current=true]:bg-surface-2"
          >
            <div className="min-w-44 flex-1">
              <p className="font-medium">{streamName(stream)}</p>
              <p className="text-sm text-ink-3 tabular-nums">
                {stream.title && `${whenWords(stream)} · `}
                {lengthWords(stream)}
                {stream.score != null && ` · arrived ${scoreWords(stream.score)}`}
                {` · ${incidents(stream)}`}
              </p>
            </div>
            <dl className="grid w-full grid-cols-4 gap-x-4 text-sm tabular-nums sm:w-auto sm:gap-x-6">
              <Figure name="Peak" value={COUNT.format(stream.peak)} />
              <Figure name="Average" value={COUNT.format(stream.average)} />
              <Figure name="People" value={COUNT.format(stream.unique)} />
              <Figure name="Watched" value={watchWords(stream.watch_seconds)} />
            </dl>
            <p className="w-full text-sm text-ink-2 tabular-nums empty:hidden sm:w-44">
              {transportShares(stream.watch_seconds_by_transport)
                .map(([name, share]) => `${name} ${share} %`)
                .join(', ')}
            </p>
            <Button
              size="sm"
              disabled={stream.id === chosen}
              aria-label={`Show the figures of ${streamName(stream)}`}
              onClick={() => {
                onChoose(stream.id);
                document.getElementById('stream')?.scrollIntoView();
              }}
            >
              {stream.id === chosen ? 'Shown' : 'Show'}
            </Button>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div className="sm:min-w-14">
      <dt className="text-xs text-ink-3">{name}</dt>
      <dd className="font-semibold">{value}</dd>
    </div>
  );
}

function incidents({ incidents }: StreamInsights): string {
  if (incidents.length === 0) return 'nothing went wrong';
  return incidents.length === 1 ? '1 incident' : `${incidents.length} incidents`;
}
