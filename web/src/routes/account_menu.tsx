import { Menu } from '@base-ui/react/menu';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { ChevronDown, CreditCard, LogOut, Settings, Wrench } from 'lucide-react';
import { api } from '../api/client';
import type { AccountSession } from '../api/types';
import { Avatar } from '../ui/avatar';
import { buttonClass } from '../ui/button';
import { sessionQuery } from './account';
import { mayLeave } from './leaving';
import { usePayments } from './payments/use_payments';
import { PLACES } from './places';

export default function AccountMenu({ account }: { account: AccountSession }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const { name, avatar } = account.account;
  const arePaid = usePayments() !== 'off';
  const signOut = async () => {
    if (!(await mayLeave())) return;
    await api.signOut().catch(() => undefined);
    queries.clear();
    queries.setQueryData(sessionQuery.queryKey, null);
    await navigate({ to: '/' });
  };
  const item =
    'flex min-h-11 cursor-pointer items-center gap-3 rounded-lg px-3 text-sm outline-none data-highlighted:bg-surface-2';
  return (
    <Menu.Root>
      <Menu.Trigger className={buttonClass('ghost')}>
        {avatar && <Avatar name={name} url={`/images/${avatar}`} size="sm" />}
        <span className="max-w-32 truncate">{name}</span>
        <ChevronDown aria-hidden size={16} />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={6} align="end" className="z-40">
          <Menu.Popup className="max-h-(--available-height) min-w-52 overflow-y-auto overscroll-contain rounded-card border border-line bg-surface-1 p-1.5 text-ink shadow-panel outline-none">
            {PLACES.map(({ to, label, icon: Icon }) => (
              <Menu.Item key={to} className={`${item} sm:hidden`} onClick={() => void navigate({ to })}>
                <Icon aria-hidden size={18} className="text-ink-2" />
                {label}
              </Menu.Item>
            ))}
            {account.channels.map((channel) => (
              <Menu.Item
                key={channel.handle}
                className={item}
                onClick={() => void navigate({ to: '/@{$handle}', params: { handle: channel.handle } })}
              >
                <span aria-hidden className="w-[18px] text-center text-ink-2">
                  @
                </span>
                <span className="truncate">{channel.handle}</span>
              </Menu.Item>
            ))}
            <Menu.Separator className="mx-2 my-1.5 h-px bg-line" />
            {arePaid && (
              <Menu.Item className={item} onClick={() => void navigate({ to: '/memberships' })}>
                <CreditCard aria-hidden size={18} className="text-ink-2" />
                Memberships and payments
              </Menu.Item>
            )}
            <Menu.Item className={item} onClick={() => void navigate({ to: '/settings' })}>
              <Settings aria-hidden size={18} className="text-ink-2" />
              Settings
            </Menu.Item>
            {account.account.role === 'admin' && (
              <Menu.Item className={item} onClick={() => void navigate({ to: '/admin' })}>
                <Wrench aria-hidden size={18} className="text-ink-2" />
                Administration
              </Menu.Item>
            )}
            <Menu.Item className={item} onClick={() => void signOut()}>
              <LogOut aria-hidden size={18} className="text-ink-2" />
              Sign out
            </Menu.Item>
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
