/** Links by which people sign up. */
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { adminApi, type Role } from '../../api/admin';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { CopyRow } from '../../ui/copy';
import { SelectField, TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { Pill } from '../../ui/pill';
import { ago, useNow } from '../../ui/time';
import { Ask, type Question } from './ask';
import { AdminFrame } from './frame';
import { List, Row } from './list';

const key = ['admin', 'invites'];

export function InvitesPage() {
  return (
    <AdminFrame title="Invites">
      <NewInvite />
      <Invites />
    </AdminFrame>
  );
}

function NewInvite() {
  const queries = useQueryClient();
  const [note, setNote] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [days, setDays] = useState('7');
  const [uses, setUses] = useState('1');
  const create = useMutation({
    mutationFn: () =>
      adminApi.createInvite({ note: note.trim(), role, days: Number(days), max_uses: Number(uses) }),
    onSuccess: () => {
      setNote('');
      return queries.invalidateQueries({ queryKey: key });
    },
  });
  if (create.data) {
    return (
      <Card title="The new invite">
        <div className="flex flex-col gap-4">
          <Notice title="Send this link now">It is shown this once.</Notice>
          <CopyRow label="Link" value={`${location.origin}/signup#${create.data.code}`} />
          <Button className="self-start" onClick={() => create.reset()}>
            Make another
          </Button>
        </div>
      </Card>
    );
  }
  return (
    <Card title="New invite">
      <form
        className="grid gap-4 sm:grid-cols-2"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <TextField
          label="For whom"
          value={note}
          maxLength={200}
          hint="A note for you, such as a name."
          onChange={(event) => setNote(event.target.value)}
        />
        <SelectField
          label="They become"
          value={role}
          onChange={(event) => setRole(event.target.value as Role)}
        >
          <option value="viewer">Viewer: watches and follows</option>
          <option value="creator">Creator: has channels</option>
          <option value="admin">Admin: runs the server</option>
        </SelectField>
        <SelectField label="It works for" value={days} onChange={(event) => setDays(event.target.value)}>
          <option value="1">A day</option>
          <option value="7">A week</option>
          <option value="30">30 days</option>
        </SelectField>
        <SelectField label="How often" value={uses} onChange={(event) => setUses(event.target.value)}>
          <option value="1">Once</option>
          <option value="5">For five people</option>
          <option value="25">For 25 people</option>
        </SelectField>
        {create.error && (
          <div className="sm:col-span-2">
            <Notice title="The invite was not made">{create.error.message}</Notice>
          </div>
        )}
        <Button
          type="submit"
          look="primary"
          className="self-start sm:col-span-2 sm:justify-self-start"
          disabled={create.isPending}
        >
          Make the invite
        </Button>
      </form>
    </Card>
  );
}

function Invites() {
  const queries = useQueryClient();
  const now = useNow(false);
  const [question, setQuestion] = useState<Question | null>(null);
  const query = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam }) => adminApi.invites(pageParam),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  });
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <List
        label="Invites"
        error={query.error}
        isWaiting={query.isPending}
        empty={items.length === 0 ? 'There are no invites. Make one above and send its link.' : null}
        onMore={query.hasNextPage ? () => void query.fetchNextPage() : undefined}
      >
        {items.map((invite) => {
          const isOver = Date.parse(invite.expires_at) <= now || invite.uses >= invite.max_uses;
          return (
            <Row
              key={invite.id}
              title={invite.note || 'Without a note'}
              pills={
                <>
                  <Pill tone="neutral">{invite.role}</Pill>
                  {isOver && <Pill tone="neutral">{invite.uses >= invite.max_uses ? 'Used' : 'Over'}</Pill>}
                </>
              }
              lines={[
                `used ${invite.uses} of ${invite.max_uses} · made ${ago(invite.created_at, now)} · ends ${ago(invite.expires_at, now)}`,
              ]}
              actions={
                <Button
                  size="sm"
                  aria-label={`Take back the invite ${invite.note}`}
                  onClick={() =>
                    setQuestion({
                      title: 'Take this invite back?',
                      words: 'Its link works no longer. Accounts that were made by it stay.',
                      act: 'Take back',
                      run: () =>
                        adminApi
                          .deleteInvite(invite.id)
                          .then(() => queries.invalidateQueries({ queryKey: key })),
                    })
                  }
                >
                  Take back
                </Button>
              }
            />
          );
        })}
      </List>
      <Ask question={question} onClose={() => setQuestion(null)} />
    </>
  );
}
