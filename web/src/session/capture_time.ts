const CAPTURE_TIME = 'http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time';

interface HeaderExtension {
  uri: string;
  direction: RTCRtpTransceiverDirection;
}

/** Asks for capture times in the packets, where the browser knows how, for an honest latency figure. */
export function negotiateCaptureTime(transceiver: RTCRtpTransceiver): void {
  const able = transceiver as RTCRtpTransceiver & {
    getHeaderExtensionsToNegotiate?: () => HeaderExtension[];
    setHeaderExtensionsToNegotiate?: (extensions: HeaderExtension[]) => void;
  };
  if (!able.getHeaderExtensionsToNegotiate || !able.setHeaderExtensionsToNegotiate) return;
  try {
    const extensions = able.getHeaderExtensionsToNegotiate();
    for (const extension of extensions) {
      if (extension.uri === CAPTURE_TIME) extension.direction = 'sendrecv';
    }
    able.setHeaderExtensionsToNegotiate(extensions);
  } catch {
    // Only the latency figure in the statistics depends on it.
  }
}
