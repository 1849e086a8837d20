/** The studio: for whoever is signed in and has a channel. */
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { Spinner } from '../../ui/spinner';
import { useRequiredAccount } from '../account';
import { Frame } from '../frame';
import { NewChannel } from '../new_channel';
import { useTitle } from '../title';
import { Room } from './room';

export function StudioPage() {
  const [inUse, setInUse] = useState(false);
  const { data } = useRequiredAccount(inUse);
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
  return <Waiting noChannel={account !== undefined && account !== null} />;
}

function Waiting({ noChannel }: { noChannel: boolean }) {
  useTitle('Studio');
  return (
    <Frame>
      <h1 className="sr-only">Studio</h1>
      {noChannel ? (
        <NewChannel />
      ) : (
        <div className="m-auto flex items-center gap-3 p-8 text-ink-2">
          <Spinner /> Opening the studio
        </div>
      )}
    </Frame>
  );
}
