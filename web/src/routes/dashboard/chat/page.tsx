/** The channel's chat: how one may write, words, emotes, who may not write, and pages for OBS. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Gavel } from 'lucide-react';
import { chatApi } from '../../../api/chat';
import { buttonClass } from '../../../ui/button';
import { Card } from '../../../ui/card';
import { CopyRow } from '../../../ui/copy';
import { ModesEditor } from '../../moderation/modes_editor';
import { RestrainedList } from '../../moderation/restrained_list';
import { TermsEditor } from '../../moderation/terms_editor';
import { NoAnswer } from '../../no_answer';
import { DashboardFrame } from '../frame';
import { EmotesCard } from './emotes_card';

export function ChatSettingsPage() {
  return (
    <DashboardFrame section="/dashboard/chat">
      {(channel) => <ChatSettings handle={channel.handle} />}
    </DashboardFrame>
  );
}

function ChatSettings({ handle }: { handle: string }) {
  const queries = useQueryClient();
  const queryKey = ['chat', handle, 'room'];
  const room = useQuery({ queryKey, queryFn: () => chatApi.room(handle) });
  const page = `${location.origin}/chat/${handle}`;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-4 lg:grid-cols-2 lg:gap-6">
      <div className="flex min-w-0 flex-col gap-4 lg:gap-6">
        <Card
          title="How one may write"
          aside={
            <Link to="/moderate/$handle" params={{ handle }} className={buttonClass('secondary', 'sm')}>
              <Gavel aria-hidden size={15} />
              Moderator view
            </Link>
          }
        >
          {room.error && <NoAnswer reason={room.error.message} onRetry={() => void room.refetch()} />}
          {room.data && (
            <ModesEditor
              handle={handle}
              modes={room.data.modes}
              onChanged={(modes) =>
                queries.setQueryData<typeof room.data>(queryKey, (known) => known && { ...known, modes })
              }
            />
          )}
        </Card>
        <Card title="Banned and timed out">
          <RestrainedList handle={handle} />
        </Card>
      </div>
      <div className="flex min-w-0 flex-col gap-4 lg:gap-6">
        <EmotesCard handle={handle} />
        <Card title="Words">
          <TermsEditor handle={handle} />
        </Card>
        <Card title="In OBS">
          <div className="flex flex-col gap-4">
            <CopyRow label="Dock: chat beside your scenes" value={`${page}?dock`} />
            <CopyRow label="Browser source: chat over the picture" value={`${page}?overlay&fade=30`} />
            <p className="text-sm text-ink-3">
              In the dock you sign in once, and can moderate. The source shows messages for 30 seconds, the
              poll, and the question that is on screen. Its background is clear.
            </p>
          </div>
        </Card>
      </div>
    </div>
  );
}
