/** Work that waits, and work that was given up. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { adminApi } from '../../api/admin';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { Notice } from '../../ui/notice';
import { ago, useNow } from '../../ui/time';
import { AdminFrame } from './frame';
import { List, Row } from './list';

const key = ['admin', 'jobs'];

export function JobsPage() {
  return (
    <AdminFrame title="Jobs">
      <Jobs />
      <MailTest />
    </AdminFrame>
  );
}

function Jobs() {
  const queries = useQueryClient();
  const now = useNow(false);
  const query = useQuery({ queryKey: key, queryFn: adminApi.jobs, refetchInterval: 5000 });
  const retry = useMutation({
    mutationFn: adminApi.retryJob,
    onSettled: () => queries.invalidateQueries({ queryKey: key }),
  });
  const items = query.data?.items ?? [];
  return (
    <>
      <p className="text-sm text-ink-2">
        Mails, webhooks and notifications are sent behind the pages, and tried again when that fails.
        {query.data && ` ${query.data.waiting} wait or run now, ${query.data.failed} were given up.`}
      </p>
      {retry.error && <Notice title="That did not work">{retry.error.message}</Notice>}
      <List
        label="Given up"
        error={query.error}
        isWaiting={query.isPending}
        empty={items.length === 0 ? 'Nothing was given up in the last week.' : null}
      >
        {items.map((job) => (
          <Row
            key={job.id}
            title={<code className="font-mono">{job.kind}</code>}
            lines={[
              `given up ${ago(job.failed_at, now)} after ${job.attempts} ${job.attempts === 1 ? 'try' : 'tries'}`,
              job.problem,
            ]}
            actions={
              <Button
                size="sm"
                disabled={retry.isPending}
                aria-label={`Try the job ${job.kind} again`}
                onClick={() => retry.mutate(job.id)}
              >
                Try again
              </Button>
            }
          />
        ))}
      </List>
    </>
  );
}

function MailTest() {
  const test = useMutation({ mutationFn: adminApi.testMail });
  return (
    <Card title="Does mail arrive?">
      <div className="flex flex-col gap-4">
        <p className="text-sm text-ink-2">
          Send a mail to your own address. When it does not arrive, the reason stands above in a moment.
        </p>
        {test.error && <Notice title="No mail was sent">{test.error.message}</Notice>}
        <div className="flex flex-wrap items-center gap-4">
          <Button disabled={test.isPending} onClick={() => test.mutate()}>
            Send me a mail
          </Button>
          <span role="status" className="text-sm text-ink-2">
            {test.isSuccess ? 'It is on its way.' : ''}
          </span>
        </div>
      </div>
    </Card>
  );
}
