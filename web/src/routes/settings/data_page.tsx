/** Taking one's data along, and leaving. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { Download } from 'lucide-react';
import { useState } from 'react';
import { accountApi } from '../../api/account';
import { Button, buttonClass } from '../../ui/button';
import { Card } from '../../ui/card';
import { sessionQuery } from '../account';
import { ConfirmDialog } from './confirm_dialog';
import { SettingsFrame } from './frame';

export function DataPage() {
  return (
    <SettingsFrame>
      {() => (
        <>
          <Card title="Take your data along">
            <p className="mb-4 text-sm text-ink-2">
              One file (JSON) with all that this server holds of you: profile, channels, streams, recordings'
              particulars, sessions, and what you did. Recordings themselves you download in the dashboard.
            </p>
            <a href="/api/account/export" download className={buttonClass()}>
              <Download aria-hidden size={16} />
              Download your data
            </a>
          </Card>
          <LeaveCard />
        </>
      )}
    </SettingsFrame>
  );
}

function LeaveCard() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const leave = useMutation({
    mutationFn: (password: string) => accountApi.leave({ password }),
    onSuccess: async () => {
      queries.clear();
      queries.setQueryData(sessionQuery.queryKey, null);
      await navigate({ to: '/' });
    },
  });
  return (
    <Card title="Delete your account">
      <p className="mb-4 text-sm text-ink-2">
        Your channels, their recordings and stream keys go with it, and what is live ends. This cannot be
        undone.
      </p>
      <Button look="warn" onClick={() => setAsking(true)}>
        Delete your account
      </Button>
      <ConfirmDialog
        open={asking}
        title="Delete your account?"
        act="Delete everything"
        look="warn"
        error={leave.error}
        pending={leave.isPending}
        onConfirm={(password) => leave.mutate(password)}
        onClose={() => {
          leave.reset();
          setAsking(false);
        }}
      >
        All that belongs to it is deleted for good. Download your data first if you want to keep it.
      </ConfirmDialog>
    </Card>
  );
}
