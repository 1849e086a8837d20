import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { BellRing } from 'lucide-react';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { Notice } from '../../ui/notice';
import { type PushState, pushState, switchPushOff, switchPushOn } from './push';

const KEY = ['push_state'];
const WHY_NOT: Partial<Record<PushState, [string, string]>> = {
  blocked: [
    'Your browser blocks notifications of this site',
    'Allow them in the settings of the site, by the icon beside the address, and load this page again.',
  ],
  insecure: [
    'Only pages over HTTPS may ask for this',
    'Open this server by its https:// address, and switch it on there.',
  ],
  never: [
    'This browser takes no notifications',
    'On an iPhone or iPad, add this site to the home screen and open it from there.',
  ],
};

/** Whether this browser takes pushes. */
export function PushCard() {
  const queries = useQueryClient();
  const { data: state } = useQuery({ queryKey: KEY, queryFn: pushState, staleTime: 0 });
  const change = useMutation({
    mutationFn: (on: boolean) => (on ? switchPushOn() : switchPushOff()),
    onSettled: () => queries.invalidateQueries({ queryKey: KEY }),
  });
  const why = state && WHY_NOT[state];
  return (
    <Card title="This browser">
      <p className="mb-4 text-sm text-ink-2">
        {state === 'on'
          ? 'Notifications are shown here, also while no page of this site is open.'
          : 'Notifications can be shown here, also while no page of this site is open.'}
      </p>
      {why && (
        <Notice tone="info" title={why[0]}>
          {why[1]}
        </Notice>
      )}
      {change.error && (
        <div className="mb-4">
          <Notice title="That did not work">{change.error.message}</Notice>
        </div>
      )}
      {(state === 'on' || state === 'off') && (
        <Button
          look={state === 'on' ? 'secondary' : 'primary'}
          disabled={change.isPending}
          onClick={() => change.mutate(state === 'off')}
        >
          <BellRing aria-hidden size={18} />
          {state === 'on' ? 'Switch off in this browser' : 'Show notifications in this browser'}
        </Button>
      )}
    </Card>
  );
}
