/** How the server is, at a glance. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { adminApi } from '../../api/admin';
import { Notice } from '../../ui/notice';
import { Opening } from '../no_answer';
import { AdminFrame } from './frame';

export function OverviewPage() {
  return (
    <AdminFrame title="Overview">
      <Overview />
    </AdminFrame>
  );
}

function Overview() {
  const query = useQuery({
    queryKey: ['admin', 'overview'],
    queryFn: adminApi.overview,
    refetchInterval: 5000,
  });
  const now = query.data;
  if (!now) {
    return <Opening what="the overview" error={query.failureReason} onRetry={() => void query.refetch()} />;
  }
  const people = now.admins + now.creators + now.viewers;
  return (
    <>
      {now.jobs_failed > 0 && (
        <Notice title={`${now.jobs_failed} ${now.jobs_failed === 1 ? 'job was' : 'jobs were'} given up`}>
          Mails or webhooks did not reach their goal.{' '}
          <Link to="/admin/jobs" className="rounded underline underline-offset-4">
            See why
          </Link>
        </Notice>
      )}
      <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3 sm:gap-4">
        <Figure to="/admin/streams" label="On air" value={now.live_streams} />
        <Figure to="/admin/streams" label="Watching" value={now.watching} />
        <Figure
          to="/admin/accounts"
          label="Accounts"
          value={people}
          more={[many(now.admins, 'admin'), many(now.creators, 'creator'), many(now.viewers, 'viewer')].join(
            ', ',
          )}
        />
        <Figure to="/admin/accounts" label="Suspended" value={now.suspended} />
        <Figure to="/admin/jobs" label="Jobs waiting" value={now.jobs_waiting} />
        <Figure to="/admin/jobs" label="Jobs given up" value={now.jobs_failed} />
      </dl>
      <p className="text-sm text-ink-3">
        Tallylight {now.version} on {now.database}.{' '}
        {now.has_mail ? 'It sends mail.' : 'It sends no mail: mail.host is not set.'}
      </p>
    </>
  );
}

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function Figure({
  to,
  label,
  value,
  more,
}: {
  to: '/admin/streams' | '/admin/accounts' | '/admin/jobs';
  label: string;
  value: number;
  more?: string;
}) {
  return (
    <div className="relative rounded-card border border-line bg-surface-1 p-4 hover:border-line-strong sm:p-5">
      <dt className="text-sm text-ink-2">
        <Link to={to} className="rounded after:absolute after:inset-0 after:rounded-card">
          {label}
        </Link>
      </dt>
      <dd className="mt-1 text-3xl font-semibold tracking-tight tabular-nums">{value}</dd>
      {more && <dd className="mt-1 text-sm text-ink-3">{more}</dd>}
    </div>
  );
}
