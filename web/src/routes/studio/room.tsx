/** Green room and on air, one room: what changes is the colour of the lamp. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ExternalLink, Eye, Mic, MicOff, MonitorUp, MonitorX, Square, Video, VideoOff } from 'lucide-react';
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { api } from '../../api/client';
import type { OwnChannel } from '../../api/types';
import { Publisher } from '../../publisher/publisher';
import { Sources } from '../../publisher/sources';
import { Button, buttonClass } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Notice } from '../../ui/notice';
import { Pill } from '../../ui/pill';
import { Spinner } from '../../ui/spinner';
import { clock, useNow } from '../../ui/time';
import { Frame } from '../frame';
import { useTitle } from '../title';
import { HealthCard } from './health_card';
import { Pickers } from './pickers';
import { Preview } from './preview';
import { airOptions, onAirNote, type Settings, useSettings } from './settings';
import { ToolButton } from './tool_button';

export function Room({
  channel,
  channels,
  codec,
  onChannel,
}: {
  channel: OwnChannel;
  channels: OwnChannel[];
  codec: string | null;
  onChannel: (handle: string) => void;
}) {
  const [settings, setSettings] = useSettings(codec);
  const [{ sources, publisher }] = useState(() => {
    const sources = new Sources(settings.quality);
    return { sources, publisher: new Publisher(sources) };
  });
  const media = useSyncExternalStore(sources.store.subscribe, sources.store.get);
  const air = useSyncExternalStore(publisher.store.subscribe, publisher.store.get);
  const [asking, setAsking] = useState(false);
  const { phase } = air;
  const onAir = phase.name === 'live' || phase.name === 'reconnecting';
  const busy = onAir || phase.name === 'starting';

  const ingest = useQuery({
    queryKey: ['ingest', channel.handle],
    queryFn: () => api.ingest(channel.handle),
    refetchInterval: 2000,
    refetchIntervalInBackground: true,
  }).data;
  const heldByServer = ingest !== undefined && ingest.state !== 'waiting';

  const goLive = useCallback(async () => {
    if (!sources.store.get().asked) await sources.open();
    onAirNote.write(channel.handle);
    await publisher.start(airOptions(channel.handle, settings));
  }, [sources, publisher, channel.handle, settings]);

  useLifetime(sources, publisher);
  useResume(sources, channel.handle, heldByServer, phase.name === 'idle', goLive);
  useWarning(busy);
  useMuteKey(sources);
  useAwake(onAir);
  useEffect(() => {
    if (phase.name === 'ended' || phase.name === 'failed') onAirNote.clear();
  }, [phase.name]);
  useTitle(onAir ? `On air: ${channel.name}` : 'Studio', phase.name === 'live');

  const leaving = (handle: string) => {
    if (!busy) onChannel(handle);
  };

  return (
    <Frame live={phase.name === 'live'}>
      <div className="mx-auto grid w-full max-w-[1680px] flex-1 content-start gap-4 p-4 sm:p-6 lg:grid-cols-[minmax(0,1fr)_22rem] lg:gap-6 xl:grid-cols-[minmax(0,1fr)_25rem]">
        <div className="flex min-w-0 flex-col gap-4">
          <Heading
            channel={channel}
            channels={channels}
            busy={busy}
            onChannel={leaving}
            startedAt={ingest?.started_at ?? null}
            since={air.since}
            viewers={ingest?.viewers ?? 0}
            phase={phase.name}
          />
          <Preview sources={sources} media={media} phase={phase} onRetry={() => publisher.tryNow()} />
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
                look={onAir ? 'live' : 'secondary'}
                size="lg"
                onClick={() => (onAir ? setAsking(true) : publisher.leave())}
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
          <Announcements
            phase={phase}
            heldByServer={heldByServer && !busy}
            source={ingest?.source ?? null}
            state={ingest?.state ?? null}
            onResume={() => void goLive()}
            onEnd={() => void api.endStream(channel.handle).catch(() => undefined)}
          />
        </div>
        <div className="flex min-w-0 flex-col gap-4">
          {onAir && <HealthCard air={air} settings={settings} media={media} />}
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
      <Dialog
        open={asking}
        onClose={() => setAsking(false)}
        title="End the stream?"
        actions={
          <>
            <Button onClick={() => setAsking(false)}>Stay on air</Button>
            <Button
              look="primary"
              onClick={() => {
                setAsking(false);
                publisher.end();
              }}
            >
              End stream
            </Button>
          </>
        }
      >
        {ingest?.viewers
          ? `${ingest.viewers} ${ingest.viewers === 1 ? 'person is' : 'people are'} watching. They will see that the stream has ended.`
          : 'Viewers will see that the stream has ended.'}
      </Dialog>
    </Frame>
  );
}

function Heading({
  channel,
  channels,
  busy,
  onChannel,
  startedAt,
  since,
  viewers,
  phase,
}: {
  channel: OwnChannel;
  channels: OwnChannel[];
  busy: boolean;
  onChannel: (handle: string) => void;
  startedAt: string | null;
  since: number | null;
  viewers: number;
  phase: string;
}) {
  const onAir = phase === 'live' || phase === 'reconnecting';
  const now = useNow(onAir);
  const start = startedAt ? Date.parse(startedAt) : since;
  return (
    <div className="flex min-h-11 flex-wrap items-center gap-x-4 gap-y-2">
      <h1 className="text-xl font-semibold tracking-tight">Studio</h1>
      {channels.length > 1 ? (
        <select
          aria-label="Channel"
          value={channel.handle}
          disabled={busy}
          onChange={(event) => onChannel(event.target.value)}
          className="min-h-11 rounded-control border border-line bg-surface-1 px-3 text-sm"
        >
          {channels.map(({ handle }) => (
            <option key={handle} value={handle}>
              @{handle}
            </option>
          ))}
        </select>
      ) : (
        <span className="text-sm text-ink-3">@{channel.handle}</span>
      )}
      <div className="ml-auto flex items-center gap-3 text-sm text-ink-2 tabular-nums">
        {phase === 'live' ? (
          <Pill tone="live" dot>
            On air {start !== null && clock(now - start)}
          </Pill>
        ) : phase === 'reconnecting' ? (
          <Pill tone="warn">Reconnecting</Pill>
        ) : phase === 'starting' ? (
          <Pill tone="preview">Connecting</Pill>
        ) : (
          <Pill tone="preview">Preview</Pill>
        )}
        {onAir && (
          <span className="inline-flex items-center gap-1.5" title="Watching now">
            <Eye aria-hidden size={16} />
            <span data-testid="viewers">{viewers}</span>
            <span className="sr-only">watching</span>
          </span>
        )}
        <Link
          to="/@{$handle}"
          params={{ handle: channel.handle }}
          target="_blank"
          className={buttonClass('ghost', 'sm')}
          aria-label="Open your channel page in a new tab"
        >
          <ExternalLink aria-hidden size={16} />
          <span className="hidden sm:inline">Watch page</span>
        </Link>
      </div>
    </div>
  );
}

function Dock({
  sources,
  camera,
  hasCamera,
  microphone,
  hasMicrophone,
  sharing,
  children,
}: {
  sources: Sources;
  camera: boolean;
  hasCamera: boolean;
  microphone: boolean;
  hasMicrophone: boolean;
  sharing: boolean;
  children: React.ReactNode;
}) {
  const canShare = typeof navigator.mediaDevices?.getDisplayMedia === 'function';
  return (
    <div className="flex flex-wrap items-center gap-2">
      <ToolButton
        label={microphone ? 'Mute microphone' : 'Unmute microphone'}
        hint="M"
        off={!microphone}
        disabled={!hasMicrophone}
        onClick={() => sources.setMicrophoneOn(!microphone)}
      >
        {microphone ? <Mic size={20} /> : <MicOff size={20} />}
      </ToolButton>
      <ToolButton
        label={camera ? 'Camera off' : 'Camera on'}
        off={!camera}
        disabled={!hasCamera}
        onClick={() => sources.setCameraOn(!camera)}
      >
        {camera ? <Video size={20} /> : <VideoOff size={20} />}
      </ToolButton>
      {canShare && (
        <ToolButton
          label={sharing ? 'Stop sharing' : 'Share screen'}
          onClick={() => (sharing ? sources.stopScreen() : void sources.shareScreen())}
        >
          {sharing ? <MonitorX size={20} /> : <MonitorUp size={20} />}
        </ToolButton>
      )}
      <div className="ml-auto">{children}</div>
    </div>
  );
}

function Announcements({
  phase,
  heldByServer,
  source,
  state,
  onResume,
  onEnd,
}: {
  phase: ReturnType<Publisher['store']['get']>['phase'];
  heldByServer: boolean;
  source: string | null;
  state: string | null;
  onResume: () => void;
  onEnd: () => void;
}) {
  if (phase.name === 'starting' && phase.waiting) {
    return (
      <Notice tone="info" title="Waiting for the channel">
        {phase.waiting} Trying again every two seconds.
      </Notice>
    );
  }
  if (phase.name === 'starting') {
    return (
      <p role="status" className="flex items-center gap-3 text-sm text-ink-2">
        <Spinner size={16} /> Connecting to the server. You are not on air yet.
      </p>
    );
  }
  if (phase.name === 'failed') {
    const signedOut = phase.code === 'stream_key_missing';
    return (
      <Notice
        title="You are not on air"
        action={
          signedOut && (
            <Link to="/login" search={{ next: '/studio' }} className={buttonClass('secondary', 'sm')}>
              Sign in
            </Link>
          )
        }
      >
        {signedOut ? 'You were signed out. Sign in again, then go live.' : phase.reason}
      </Notice>
    );
  }
  if (phase.name === 'ended') {
    const words = {
      you: ['Your stream has ended', 'Nobody sees or hears you now.'],
      too_long: [
        'Your stream has ended',
        'The connection was away for more than 30 seconds, so the server closed the stream. Go live again when your network is back.',
      ],
      elsewhere: [
        'Your stream was ended',
        'It was ended on the server or the dashboard. Nobody sees or hears you now.',
      ],
    }[phase.why];
    return (
      <Notice tone="info" title={words[0]}>
        {words[1]}
      </Notice>
    );
  }
  if (heldByServer) {
    const reconnecting = state === 'reconnecting';
    return (
      <Notice
        tone="info"
        title={reconnecting ? 'Your stream is still open' : 'This channel is on air already'}
        action={
          <>
            {reconnecting && (
              <Button look="preview" size="sm" onClick={onResume}>
                Resume
              </Button>
            )}
            <Button size="sm" onClick={onEnd}>
              End it
            </Button>
          </>
        }
      >
        {reconnecting
          ? 'Viewers see that you are reconnecting. Resume within half a minute and the same stream goes on.'
          : `It is sent from another tab or encoder${source ? ` (${source.toUpperCase()})` : ''}. Stop that one before you go live here.`}
      </Notice>
    );
  }
  return null;
}

/** Opens the devices if that needs no question; lets everything go with the page. */
function useLifetime(sources: Sources, publisher: Publisher): void {
  useEffect(() => {
    void sources.allowedBefore().then((allowed) => {
      if (allowed && !sources.store.get().asked) void sources.open();
    });
    return () => {
      publisher.close();
      sources.close();
    };
  }, [sources, publisher]);
}

/** After a reload of this tab the same stream goes on by itself. */
function useResume(
  sources: Sources,
  handle: string,
  held: boolean,
  idle: boolean,
  goLive: () => Promise<void>,
): void {
  const tried = useRef(false);
  useEffect(() => {
    if (tried.current || !held || !idle || !onAirNote.isFor(handle)) return;
    tried.current = true;
    void sources.allowedBefore().then((allowed) => {
      if (allowed) void goLive();
    });
  }, [sources, handle, held, idle, goLive]);
}

function useWarning(busy: boolean): void {
  useEffect(() => {
    if (!busy) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', warn);
    return () => removeEventListener('beforeunload', warn);
  }, [busy]);
}

function useMuteKey(sources: Sources): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== 'm' || event.ctrlKey || event.metaKey || event.altKey || event.repeat)
        return;
      const target = event.target instanceof HTMLElement ? event.target : null;
      if (target?.closest('input:not([type="checkbox"]), textarea, select, [contenteditable]')) return;
      sources.setMicrophoneOn(!sources.store.get().microphoneOn);
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  }, [sources]);
}

/** A phone that falls asleep would end the stream. */
function useAwake(needed: boolean): void {
  useEffect(() => {
    if (!needed || !navigator.wakeLock) return;
    let lock: WakeLockSentinel | null = null;
    let over = false;
    const take = async () => {
      if (document.visibilityState !== 'visible' || over) return;
      lock = await navigator.wakeLock.request('screen').catch(() => null);
      if (over) void lock?.release();
    };
    void take();
    document.addEventListener('visibilitychange', take);
    return () => {
      over = true;
      document.removeEventListener('visibilitychange', take);
      void lock?.release();
    };
  }, [needed]);
}
