/** The page over the picture that shows who joins and tips. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type Shop, shopApi } from '../../../api/payments';
import { Button } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { CopyRow } from '../../../ui/copy';
import { Notice } from '../../../ui/notice';
import { moneyKey } from './use_shop';

export function AlertsCard({ handle, shop }: { handle: string; shop: Shop }) {
  const queries = useQueryClient();
  const make = useMutation({
    mutationFn: () => shopApi.makeAlertToken(handle),
    onSuccess: () => queries.invalidateQueries({ queryKey: [...moneyKey(handle), 'shop'] }),
  });
  return (
    <Card title="Alerts">
      <div className="flex flex-col gap-5">
        <p className="text-sm text-ink-2">
          A page for your encoder to lay over the picture: it shows for some seconds who became a member, who
          gives memberships and who tips, with a short sound.
        </p>
        {make.data && (
          <div className="flex flex-col gap-3">
            <Notice title="Copy this address now">
              It is shown this once. Whoever has it sees your alerts, so do not show it on stream.
            </Notice>
            <CopyRow label="Address of your alerts" value={`${location.origin}/alerts#${make.data.token}`} />
          </div>
        )}
        {make.error && <Notice title="The address was not made">{make.error.message}</Notice>}
        <ol className="flex list-decimal flex-col gap-1.5 pl-5 text-sm text-ink-2">
          <li>{shop.has_alerts ? 'Copy the address' : 'Make the address below and copy it'}.</li>
          <li>In OBS, under Sources, add a “Browser” source.</li>
          <li>Paste the address as its URL; width 800, height 200. It has no background of its own.</li>
          <li>Tick “Control audio via OBS” to hear the sound on stream.</li>
        </ol>
        {shop.has_alerts && !make.data && (
          <p className="text-sm text-ink-2">
            There is an address already. It cannot be shown again: with a new one, the old one stops working.
          </p>
        )}
        <Button
          look={shop.has_alerts ? 'secondary' : 'primary'}
          className="self-start"
          disabled={make.isPending}
          onClick={() => make.mutate()}
        >
          {shop.has_alerts ? 'Make a new address' : 'Make the address'}
        </Button>
      </div>
    </Card>
  );
}
