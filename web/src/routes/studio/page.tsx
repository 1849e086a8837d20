/** The studio: for whoever is signed in and has a channel. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { useRequiredAccount } from '../account';
import { Frame } from '../frame';
import { NewChannel } from '../new_channel';
import { Opening } from '../no_answer';
import { useTitle } from '../title';
import { Room } from './room';

export function StudioPage() {
  const [inUse, setInUse] = useState(false);
  const query = useRequiredAccount(inUse);
  const { data } = query;
  // Whoever is on air stays so, whatever becomes of the sign-in meanwhile.
  const [last, setLast] = useState(data);
  if (data && data !== last) setLast(data);
  const account = inUse ? (data ?? last) : data;
  const search = useSearch({ from: '/studio' });
  const navigate = useNavigate();
  const channels = account?.channels ?? [];
  const channel = channels.find(({ handle }) => handle === search.channel) ?? channels[0];
  if (account && channel) {
    return (
      <Room
        key={channel.handle}
        channel={channel}
        channels={channels}
        codec={search.codec ?? null}
        onChannel={(handle) => void navigate({ to: '/studio', search: { ...search, channel: handle } })}
        onUse={setInUse}
      />
    );
  }
  return (
    <Waiting noChannel={account !== undefined && account !== null}>
      <Opening what="the studio" error={query.failureReason} onRetry={() => void query.refetch()} />
    </Waiting>
  );
}

function Waiting({ noChannel, children }: { noChannel: boolean; children: ReactNode }) {
  useTitle('Studio');
  return (
    <Frame>
      <h1 className="sr-only">Studio</h1>
      {noChannel ? <NewChannel /> : children}
    </Frame>
  );
}
