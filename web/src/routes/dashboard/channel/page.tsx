/** All that a channel says of itself, who may watch, who looks after it, and its end. */
import type { OwnChannel } from '../../../api/types';
import { NoAnswer } from '../../no_answer';
import { useChannel } from '../../watch/use_channel';
import { DashboardFrame } from '../frame';
import { AudienceCard } from './audience_card';
import { BrandingCard } from './branding_card';
import { DangerCard } from './danger_card';
import { LinksCard } from './links_card';
import { ModeratorsCard } from './moderators_card';
import { PanelsCard } from './panels_card';
import { ProfileCard } from './profile_card';

export function ChannelSettingsPage() {
  return (
    <DashboardFrame section="/dashboard/channel">{(channel) => <Settings own={channel} />}</DashboardFrame>
  );
}

function Settings({ own }: { own: OwnChannel }) {
  const query = useChannel(own.handle);
  const channel = query.data;
  if (!channel) {
    return query.error ? <NoAnswer silentMs={0} onRetry={() => void query.refetch()} /> : null;
  }
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-4 lg:grid-cols-2 lg:gap-6">
      <div className="flex min-w-0 flex-col gap-4 lg:gap-6">
        <ProfileCard channel={channel} />
        <LinksCard channel={channel} />
        <PanelsCard channel={channel} />
      </div>
      <div className="flex min-w-0 flex-col gap-4 lg:gap-6">
        <BrandingCard channel={channel} />
        <AudienceCard channel={channel} />
        <ModeratorsCard handle={channel.handle} />
        <DangerCard handle={channel.handle} />
      </div>
    </div>
  );
}
