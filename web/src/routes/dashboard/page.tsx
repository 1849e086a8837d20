/** For OBS and other encoders: where to send, with which key, and what arrives. */
import { CopyRow } from '../../ui/copy';
import { AboutCard } from '../streams/about_card';
import { DashboardFrame } from './frame';
import { ObsCard } from './obs_card';
import { ReceiveCard } from './receive_card';
import { RecordingsCard } from './recordings_card';

export function DashboardPage() {
  return (
    <DashboardFrame section="/dashboard">
      {(channel) => (
        <>
          <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-4 lg:grid-cols-[minmax(0,1.35fr)_minmax(0,1fr)] lg:gap-6">
            <ObsCard handle={channel.handle} />
            <div className="order-first flex min-w-0 flex-col gap-4 lg:order-none lg:gap-6">
              <ReceiveCard handle={channel.handle} />
              <AboutCard handle={channel.handle} />
              <section className="rounded-card border border-line bg-surface-1 p-5 sm:p-6">
                <CopyRow label="Your page, to share" value={`${location.origin}/@${channel.handle}`} />
              </section>
            </div>
          </div>
          <RecordingsCard channel={channel} />
        </>
      )}
    </DashboardFrame>
  );
}
