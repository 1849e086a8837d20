/** A still picture as a video track, for when there is no camera: the stream goes on. */

export interface Slate {
  track: MediaStreamTrack;
  say(text: string): void;
  stop(): void;
}

export function createSlate(width: number, height: number, text: string): Slate {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  let words = text;
  let turn = 0;
  const draw = () => {
    if (!context) return;
    context.fillStyle = '#17181c';
    context.fillRect(0, 0, width, height);
    context.fillStyle = '#b9bcc6';
    context.font = `600 ${Math.round(height / 16)}px "Inter Variable", system-ui, sans-serif`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(words, width / 2, height / 2, width * 0.9);
    // A canvas gives a frame only when it changed.
    turn = (turn + 1) % 2;
    context.fillStyle = turn ? '#17181c' : '#18191d';
    context.fillRect(0, 0, 2, 2);
  };
  draw();
  const track = canvas.captureStream(SLATE_FPS).getVideoTracks()[0];
  if (!track) throw new Error('This browser cannot make a picture from a canvas.');
  const timer = setInterval(draw, 1000 / SLATE_FPS);
  return {
    track,
    say: (next) => {
      words = next;
      draw();
    },
    stop: () => {
      clearInterval(timer);
      track.stop();
    },
  };
}

const SLATE_FPS = 10;
