/** Green room and on air, one room: what changes is the colour of the lamp. */
import { useQuery } from '@tanstack/react-query';
import { Eye, Square } from 'lucide-react';
import { lazy, Suspense, useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { api } from '../../api/client';
import type { OwnChannel } from '../../api/types';
import { Publisher } from '../../publisher/publisher';
import { Sources } from '../../publisher/sources';
import { Button } from '../../ui/button';
import { useChat } from '../chat/use_chat';
import { Frame } from '../frame';
import { AudienceLine } from '../gates/audience_line';
import { useSilence } from '../silence';
import { AboutCard, type Unsaved } from '../streams/about_card';
import { useStanding } from '../streams/use_streams';
import { useTitle } from '../title';
import { Announcements } from './announcements';
import { Dock } from './dock';
import { useAwake, useLeaving, useLifetime, useMuteKey, useResume, useWarning } from './effects';
import { EndDialog } from './end_dialog';
import { Heading } from './heading';
import { HealthCard } from './health_card';
import { Pickers } from './pickers';
import { Preview } from './preview';
import { airOptions, onAirNote, type Settings, useSettings } from './settings';

/** Devices and picture come first. */
const ChatPanel = lazy(() => import('../chat/panel'));

export function Room({
  channel,
  channels,
  codec,
  onChannel,
  onUse,
}: {
  channel: OwnChannel;
  channels: OwnChannel[];
  codec: string | null;
  onChannel: (handle: string) => void;
  /** Told whether this is more than a green room: on air, or with news of how that ended. */
  onUse: (inUse: boolean) => void;
}) {
  const [settings, setSettings] = useSettings(codec);
  const [{ sources, publisher }] = useState(() => {
    const sources = new Sources(settings.quality, onAirNote.read(channel.handle) ?? undefined);
    return { sources, publisher: new Publisher(sources) };
  });
  const media = useSyncExternalStore(sources.store.subscribe, sources.store.get);
  const air = useSyncExternalStore(publisher.store.subscribe, publisher.store.get);
  const [asking, setAsking] = useState(false);
  const { phase } = air;
  const onAir = phase.name === 'live' || phase.name === 'reconnecting';
  const busy = isBusy(publisher);
  useEffect(() => {
    onUse(phase.name !== 'idle');
    return () => onUse(false);
  }, [onUse, phase.name]);

  const ingests = useQuery({
    queryKey: ['ingest', channel.handle],
    queryFn: () => api.ingest(channel.handle),
    refetchInterval: 2000,
    refetchIntervalInBackground: true,
  });
  const ingest = ingests.data;
  const silentMs = useSilence(ingests.dataUpdatedAt, SILENCE_MS);
  const held = ingest && ingest.state !== 'waiting';
  const page = useQuery({
    queryKey: ['channel', channel.handle],
    queryFn: () => api.channel(channel.handle),
  });
  const windowMs = (page.data?.reconnect_window_seconds ?? USUAL_WINDOW_SECONDS) * 1000;

  const standing = useStanding(channel.handle).data;
  const made = (standing?.live ?? standing?.awaited ?? standing?.last)?.settings;
  const [layers, kbps] = [made?.max_layers ?? null, made?.max_bitrate_kbps ?? null];

  const unsaved = useRef<Unsaved>(null);
  const [onUnsaved] = useState(() => (save: Unsaved) => {
    unsaved.current = save;
  });
  const settled = useRef(false);
  const goLive = useCallback(async () => {
    // What is written there is meant for the stream that begins now: above all who may watch it.
    const saved = await unsaved.current?.().then(
      () => true,
      () => false,
    );
    // The form says what is wrong.
    if (saved === false) return;
    settled.current = true;
    const { asked, busy } = sources.store.get();
    if (!asked || busy) await sources.open();
    const limits = { layers, kbps };
    const how = { resumes: held ?? true, windowMs };
    await publisher.start(airOptions(channel.handle, settings, limits, how));
  }, [sources, publisher, channel.handle, settings, layers, kbps, held, windowMs]);
  const stop = () => {
    onAirNote.clear();
    if (onAir) publisher.end();
    else if (busy) publisher.leave();
  };

  useLifetime(sources, publisher);
  useResume(settled, sources, channel.handle, held, goLive);
  useWarning(busy);
  const leaving = useLeaving(useCallback(() => isBusy(publisher), [publisher]));
  useEffect(() => {
    if (busy) return;
    // Ended by somebody else: there is nothing to ask any more.
    setAsking(false);
    leaving?.(true);
  }, [busy, leaving]);
  useMuteKey(sources);
  useAwake(onAir);
  useEffect(() => {
    const { cameraOn, microphoneOn } = media;
    if (phase.name === 'live') onAirNote.write({ handle: channel.handle, cameraOn, microphoneOn });
    else if (phase.name === 'ended' || phase.name === 'failed') onAirNote.clear();
  }, [phase.name, channel.handle, media]);

  // Red is for what everybody sees.
  const isPreview = standing?.live?.is_preview === true;
  useTitle(onAir ? `On air: ${channel.name}` : 'Studio', phase.name === 'live' && !isPreview);
  return (
    <Frame live={phase.name === 'live' && !isPreview}>
      <div className="mx-auto grid w-full max-w-[1680px] flex-1 content-start gap-4 p-4 sm:p-6 lg:grid-cols-[minmax(0,1fr)_22rem] lg:gap-6 xl:grid-cols-[minmax(0,1fr)_25rem]">
        <div className="flex min-w-0 flex-col gap-4">
          <Heading
            channel={channel}
            channels={channels}
            busy={busy}
            onChannel={onChannel}
            startedAt={ingest?.started_at ?? null}
            since={air.since}
            viewers={ingest?.viewers ?? 0}
            silentMs={silentMs}
            phase={phase.name}
            preview={isPreview}
          />
          <Preview
            sources={sources}
            media={media}
            phase={phase}
            unseen={isPreview}
            onRetry={() => publisher.tryNow()}
          />
          <Dock
            sources={sources}
            camera={media.cameraOn && media.cameraId !== null}
            hasCamera={media.cameraId !== null}
            microphone={media.microphoneOn && media.microphoneId !== null}
            hasMicrophone={media.microphoneId !== null}
            sharing={media.picture === 'screen'}
          >
            {busy ? (
              <Button
                look={onAir && !isPreview ? 'live' : 'secondary'}
                size="lg"
                onClick={() => (onAir ? setAsking(true) : stop())}
              >
                {onAir && <Square aria-hidden size={16} fill="currentColor" />}
                {onAir ? 'End stream' : 'Cancel'}
              </Button>
            ) : (
              <Button
                look="preview"
                size="lg"
                disabled={!media.asked || media.busy}
                onClick={() => void goLive()}
              >
                Go live
              </Button>
            )}
          </Dock>
          {standing && page.data && (
            <AudienceLine stream={standing.live ?? standing.awaited ?? standing.last} channel={page.data} />
          )}
          <Announcements
            phase={phase}
            heldByServer={held === true && !busy}
            source={ingest?.source ?? null}
            state={ingest?.state ?? null}
            windowMs={air.windowMs || windowMs}
            onResume={() => void goLive()}
            onEnd={() => {
              onAirNote.clear();
              void api.endStream(channel.handle).catch(() => undefined);
            }}
          />
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          <StudioChat handle={channel.handle} onAir={onAir} viewers={ingest?.viewers ?? 0} />
          <AboutCard handle={channel.handle} onUnsaved={onUnsaved} />
          {onAir && <HealthCard air={air} settings={settings} media={media} checks={ingest?.checks ?? []} />}
          <Pickers
            sources={sources}
            media={media}
            settings={settings}
            onAir={busy}
            onSettings={(patch: Partial<Settings>) => {
              setSettings(patch);
              if (patch.quality) void sources.setQuality(patch.quality);
            }}
          />
        </div>
      </div>
      <EndDialog
        open={asking || leaving !== null}
        onAir={onAir}
        viewers={ingest?.viewers ?? 0}
        onStay={() => {
          setAsking(false);
          leaving?.(false);
        }}
        onEnd={() => {
          setAsking(false);
          stop();
          leaving?.(true);
        }}
      />
    </Frame>
  );
}

/** Beside the preview, so that the host need not look away; on air it has the room of a whole column. */
function StudioChat({ handle, onAir, viewers }: { handle: string; onAir: boolean; viewers: number }) {
  const chat = useChat(handle);
  return (
    <div
      className={`overflow-hidden rounded-card border border-line ${onAir ? 'h-[min(42rem,75dvh)]' : 'h-[28rem]'}`}
    >
      <Suspense fallback={<p className="p-4 text-sm text-ink-3">Opening the chat</p>}>
        <ChatPanel
          chat={chat}
          popOut
          aside={
            onAir && (
              <span className="mr-1 inline-flex items-center gap-1.5 text-sm text-ink-2 tabular-nums">
                <Eye aria-hidden size={15} />
                {viewers}
                <span className="sr-only">watching</span>
              </span>
            )
          }
          className="h-full"
        />
      </Suspense>
    </div>
  );
}

/** Of figures that are asked for every two seconds. */
const SILENCE_MS = 8000;

/** What servers do unless they are told otherwise; only until this one has said. */
const USUAL_WINDOW_SECONDS = 30;

/** On air or about to be, as of now: a question may come before the next rendering. */
function isBusy(publisher: Publisher): boolean {
  const { name } = publisher.store.get().phase;
  return name === 'live' || name === 'reconnecting' || name === 'starting';
}
