import { Mic, MicOff, MonitorUp, MonitorX, Video, VideoOff } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Sources } from '../../publisher/sources';
import { ToolButton } from './tool_button';

/** The switches under the picture; the way on and off air is given as children. */
export function Dock({
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
  children: ReactNode;
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
