/** What lies on the disk, and how much room there is. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { adminApi } from '../../api/admin';
import { Card } from '../../ui/card';
import { Notice } from '../../ui/notice';
import { Opening } from '../no_answer';
import { bytes } from './bytes';
import { AdminFrame } from './frame';
import { List, Row } from './list';

/** Less than this part of the disk is little. */
const LITTLE = 0.1;

export function StoragePage() {
  return (
    <AdminFrame title="Storage">
      <Storage />
    </AdminFrame>
  );
}

function Storage() {
  const query = useQuery({ queryKey: ['admin', 'storage'], queryFn: adminApi.storage });
  const now = query.data;
  if (!now) {
    return <Opening what="the storage" error={query.failureReason} onRetry={() => void query.refetch()} />;
  }
  const free = now.disk_free_bytes;
  const total = now.disk_total_bytes;
  const used = free != null && total != null ? total - free : null;
  return (
    <>
      {free != null && total != null && free < total * LITTLE && (
        <Notice title={`Only ${bytes(free)} are free`}>
          Recordings stop when the disk is full. Set a bound on the settings page, or delete some.
        </Notice>
      )}
      <Card title="Disk">
        {used != null && total != null && free != null ? (
          <div className="flex flex-col gap-2">
            <progress
              aria-label="Used part of the disk"
              className="progress-slim w-full"
              max={total}
              value={used}
            />
            <p className="text-sm text-ink-2">
              {bytes(free)} free of {bytes(total)}
            </p>
          </div>
        ) : (
          <p className="text-sm text-ink-2">This system does not tell how full the disk is.</p>
        )}
        <dl className="mt-5 grid gap-4 sm:grid-cols-3">
          <Figure
            label="Recordings"
            value={bytes(now.recordings_bytes)}
            more={now.quota_bytes != null ? `of at most ${bytes(now.quota_bytes)}` : 'without a bound'}
          />
          <Figure label="Pictures" value={bytes(now.images_bytes)} />
          <Figure label="Database" value={bytes(now.database_bytes)} more={now.database} />
        </dl>
      </Card>
      <h2 className="text-base font-semibold">Recordings by channel</h2>
      <List
        label="Recordings by channel"
        error={null}
        isWaiting={false}
        empty={now.channels.length === 0 ? 'Nothing is recorded yet.' : null}
      >
        {now.channels.map((channel) => (
          <Row
            key={channel.handle}
            title={
              <>
                {channel.name}
                <Link
                  to="/@{$handle}"
                  params={{ handle: channel.handle }}
                  className="rounded font-normal text-ink-2 underline underline-offset-4 hover:text-ink"
                >
                  @{channel.handle}
                </Link>
              </>
            }
            lines={[`${channel.recordings} ${channel.recordings === 1 ? 'recording' : 'recordings'}`]}
            actions={<span className="text-sm font-medium tabular-nums">{bytes(channel.bytes)}</span>}
          />
        ))}
      </List>
    </>
  );
}

function Figure({ label, value, more }: { label: string; value: string; more?: string }) {
  return (
    <div>
      <dt className="text-sm text-ink-2">{label}</dt>
      <dd className="text-xl font-semibold tabular-nums">{value}</dd>
      {more && <dd className="text-sm text-ink-3">{more}</dd>}
    </div>
  );
}
