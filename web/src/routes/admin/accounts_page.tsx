/** Accounts: who they are, what they may do, and what an admin does to them. */
import { Menu } from '@base-ui/react/menu';
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { MoreHorizontal } from 'lucide-react';
import { useDeferredValue, useState } from 'react';
import { type AdminAccount, adminApi, type Role } from '../../api/admin';
import { buttonClass } from '../../ui/button';
import { CopyRow } from '../../ui/copy';
import { Dialog } from '../../ui/dialog';
import { SelectField, TextField } from '../../ui/field';
import { Pill } from '../../ui/pill';
import { ago, useNow } from '../../ui/time';
import { useAccount } from '../account';
import { Ask, type Question } from './ask';
import { AdminFrame } from './frame';
import { List, Row } from './list';

const key = ['admin', 'accounts'];
const ROLES: Record<Role, string> = {
  admin: 'Admin: runs the server',
  creator: 'Creator: has channels',
  viewer: 'Viewer: watches and follows',
};
const STATES = { all: undefined, active: false, suspended: true } as const;

export function AccountsPage() {
  return (
    <AdminFrame title="Accounts">
      <Accounts />
    </AdminFrame>
  );
}

function Accounts() {
  const [text, setText] = useState('');
  const [role, setRole] = useState<Role | ''>('');
  const [state, setState] = useState<keyof typeof STATES>('all');
  const [question, setQuestion] = useState<Question | null>(null);
  const [link, setLink] = useState<{ name: string; url: string } | null>(null);
  const q = useDeferredValue(text.trim());
  const query = useInfiniteQuery({
    queryKey: [...key, q, role, state],
    queryFn: ({ pageParam }) => adminApi.accounts({ q, role, suspended: STATES[state], cursor: pageParam }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
    placeholderData: (before) => before,
  });
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <search>
        <form
          className="grid gap-3 sm:grid-cols-[1fr_12rem_10rem]"
          onSubmit={(event) => event.preventDefault()}
        >
          <TextField
            label="Name or address"
            type="search"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <SelectField
            label="Role"
            value={role}
            onChange={(event) => setRole(event.target.value as Role | '')}
          >
            <option value="">Any</option>
            {Object.keys(ROLES).map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </SelectField>
          <SelectField
            label="State"
            value={state}
            onChange={(event) => setState(event.target.value as keyof typeof STATES)}
          >
            <option value="all">Any</option>
            <option value="active">Active</option>
            <option value="suspended">Suspended</option>
          </SelectField>
        </form>
      </search>
      <List
        label="Accounts"
        error={query.error}
        isWaiting={query.isPending}
        empty={items.length === 0 ? 'No account is like that. Search for less.' : null}
        onMore={query.hasNextPage ? () => void query.fetchNextPage() : undefined}
      >
        {items.map((account) => (
          <AccountRow key={account.id} account={account} onAsk={setQuestion} onLink={setLink} />
        ))}
      </List>
      <Ask question={question} onClose={() => setQuestion(null)} />
      <Dialog open={link !== null} onClose={() => setLink(null)} title={`A link for ${link?.name ?? ''}`}>
        <div className="flex flex-col gap-4">
          <p>Hand it over yourself. It works once, for a day, and is shown this once.</p>
          {link && <CopyRow label="Link" value={link.url} />}
        </div>
      </Dialog>
    </>
  );
}

function AccountRow({
  account,
  onAsk,
  onLink,
}: {
  account: AdminAccount;
  onAsk: (question: Question) => void;
  onLink: (link: { name: string; url: string }) => void;
}) {
  const now = useNow(false);
  const me = useAccount()?.account.id === account.id;
  const seen = account.last_seen_at ? `here ${ago(account.last_seen_at, now)}` : 'not signed in';
  return (
    <Row
      title={
        <>
          {account.name}
          {me && <span className="font-normal text-ink-3">(you)</span>}
        </>
      }
      pills={
        <>
          <Pill tone="neutral">{account.role}</Pill>
          {account.suspended_at && <Pill tone="warn">Suspended</Pill>}
        </>
      }
      lines={[
        account.email && `${account.email}${account.is_email_confirmed ? '' : ' (not confirmed)'}`,
        `made ${ago(account.created_at, now)} · ${seen}${account.has_second_step ? ' · signs in with a code' : ''}`,
        account.suspended_reason && `Why: ${account.suspended_reason}`,
      ]}
      actions={<Acts account={account} onAsk={onAsk} onLink={onLink} />}
    />
  );
}

function Acts({
  account,
  onAsk,
  onLink,
}: {
  account: AdminAccount;
  onAsk: (question: Question) => void;
  onLink: (link: { name: string; url: string }) => void;
}) {
  const queries = useQueryClient();
  const name = account.name;
  const then = (work: Promise<unknown>) =>
    work.then(() => queries.invalidateQueries({ queryKey: ['admin'] }));
  const acts: { label: string; question: Question }[] = [];
  for (const role of Object.keys(ROLES) as Role[]) {
    if (role === account.role) continue;
    acts.push({
      label: `Make ${role}`,
      question: {
        title: `Make ${name} ${role}?`,
        words: `${ROLES[role]}. It holds at once.`,
        act: `Make ${role}`,
        run: () => then(adminApi.setRole(account.id, role)),
      },
    });
  }
  if (account.suspended_at) {
    acts.push({
      label: 'Let in again',
      question: {
        title: `Let ${name} in again?`,
        words: 'They can sign in with what they had. Tokens are gone and have to be made anew.',
        act: 'Let in again',
        run: () => then(adminApi.restore(account.id)),
      },
    });
  } else {
    acts.push({
      label: 'Suspend',
      question: {
        title: `Suspend ${name}?`,
        words:
          'They are signed out everywhere at once, their tokens end, and so do their streams. Channels and recordings stay.',
        act: 'Suspend',
        field: { label: 'Reason', hint: 'It stands in the audit log.' },
        run: (reason) => then(adminApi.suspend(account.id, reason)),
      },
    });
  }
  if (account.has_second_step) {
    acts.push({
      label: 'Turn off the code',
      question: {
        title: `Turn off the code of ${name}?`,
        words: 'For somebody who lost the app and the recovery codes. Be sure that it is them who ask.',
        act: 'Turn off',
        run: () => then(adminApi.resetSecondStep(account.id)),
      },
    });
  }
  acts.push({
    label: 'Link to a new password',
    question: {
      title: `Make a link to a new password for ${name}?`,
      words: 'Whoever has the link takes over the account. Be sure whom you give it to.',
      act: 'Make the link',
      run: async () => {
        const { url } = await adminApi.passwordLink(account.id);
        onLink({ name, url });
      },
    },
  });
  acts.push({
    label: 'Delete',
    question: {
      title: `Delete ${name}?`,
      words: 'The account, its channels, streams and recordings are gone for good.',
      act: 'Delete for good',
      run: () => then(adminApi.removeAccount(account.id)),
    },
  });
  return (
    <Menu.Root>
      <Menu.Trigger aria-label={`What to do with ${name}`} className={buttonClass('secondary', 'sm')}>
        <MoreHorizontal aria-hidden size={18} />
      </Menu.Trigger>
      <Menu.Portal>
        <Menu.Positioner sideOffset={6} align="end" className="z-40">
          <Menu.Popup className="min-w-52 rounded-card border border-line bg-surface-1 p-1.5 text-ink shadow-panel outline-none">
            {acts.map(({ label, question }) => (
              <Menu.Item
                key={label}
                className="flex min-h-11 cursor-pointer items-center rounded-lg px-3 text-sm outline-none data-highlighted:bg-surface-2"
                onClick={() => onAsk(question)}
              >
                {label}
              </Menu.Item>
            ))}
          </Menu.Popup>
        </Menu.Positioner>
      </Menu.Portal>
    </Menu.Root>
  );
}
