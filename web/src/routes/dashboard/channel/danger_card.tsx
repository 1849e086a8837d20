/** The end of a channel. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { channelsApi } from '../../../api/channels';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { Dialog } from '../../../ui/dialog';
import { TextField } from '../../../ui/field';
import { Notice } from '../../../ui/notice';
import { sessionQuery } from '../../account';

export function DangerCard({ handle }: { handle: string }) {
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const queries = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () => channelsApi.remove(handle),
    onSuccess: async () => {
      setOpen(false);
      await queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
      await navigate({ to: '/dashboard', search: {} });
    },
  });
  const right = typed.trim().replace(/^@/, '') === handle;
  return (
    <Card title="Delete the channel">
      <p className="mb-4 text-sm text-ink-2">
        Its stream ends, its recordings and followers are gone, and anybody may take its handle. It cannot be
        undone.
      </p>
      <Button look="warn" onClick={() => setOpen(true)}>
        Delete @{handle}
      </Button>
      <Dialog
        open={open}
        onClose={() => setOpen(false)}
        title={`Delete @${handle}?`}
        actions={
          <>
            <Button onClick={() => setOpen(false)}>Keep it</Button>
            <Button look="warn" disabled={!right || remove.isPending} onClick={() => remove.mutate()}>
              {remove.isPending ? 'Deleting' : 'Delete for ever'}
            </Button>
          </>
        }
      >
        <div className="flex flex-col gap-4">
          <TextField
            label={`Type ${handle} to go on`}
            value={typed}
            autoComplete="off"
            onChange={(event) => setTyped(event.target.value)}
          />
          {remove.error && <Notice title="It was not deleted">{remove.error.message}</Notice>}
        </div>
      </Dialog>
    </Card>
  );
}
