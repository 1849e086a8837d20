/** Chooses the part of a picture that is kept: moved by pointer or arrow keys, with a slider for its size. */
import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import type { Crop } from '../../api/pictures';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Notice } from '../../ui/notice';
import { cropOf, moved, type View } from './crop';

export function CropDialog({
  file,
  ratio,
  title,
  upload,
  onUploaded,
  onClose,
}: {
  file: File;
  ratio: number;
  title: string;
  upload: (crop: Crop) => Promise<unknown>;
  onUploaded: () => Promise<unknown>;
  onClose: () => void;
}) {
  const [url, setUrl] = useState<string>();
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  const [broken, setBroken] = useState(false);
  const [view, setView] = useState<View>({ zoom: 1, x: 0.5, y: 0.5 });
  const send = useMutation({
    mutationFn: (crop: Crop) => upload(crop),
    onSuccess: async () => {
      await onUploaded();
      onClose();
    },
  });
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  const crop = size && cropOf(size, ratio, view);
  return (
    <Dialog
      open
      onClose={onClose}
      title={title}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" disabled={!crop || send.isPending} onClick={() => crop && send.mutate(crop)}>
            {send.isPending ? 'Uploading' : 'Use this part'}
          </Button>
        </>
      }
    >
      {broken ? (
        <Notice title="This file cannot be read">
          Choose a PNG, JPEG, WebP or GIF that your browser shows.
        </Notice>
      ) : (
        <div className="flex flex-col gap-4">
          <Stage url={url} ratio={ratio} size={size} view={view} onView={setView}>
            <img
              src={url}
              alt=""
              draggable={false}
              onError={() => url && setBroken(true)}
              onLoad={({ currentTarget }) =>
                setSize({ width: currentTarget.naturalWidth, height: currentTarget.naturalHeight })
              }
              className="pointer-events-none absolute max-w-none select-none"
              style={crop && size ? placed(size, crop) : { opacity: 0 }}
            />
          </Stage>
          <label className="flex items-center gap-3">
            <span className="font-medium text-ink">Zoom</span>
            <input
              type="range"
              min={1}
              max={4}
              step={0.05}
              value={view.zoom}
              onChange={(event) => setView({ ...view, zoom: Number(event.target.value) })}
              style={{ '--fill': `${((view.zoom - 1) / 3) * 100}%` } as React.CSSProperties}
              className="range-slim min-w-0 flex-1"
            />
          </label>
          {send.error && <Notice title="This picture was not taken">{send.error.message}</Notice>}
        </div>
      )}
    </Dialog>
  );
}

function placed(size: { width: number; height: number }, crop: Crop): React.CSSProperties {
  const percent = (part: number, whole: number) => `${(part / whole) * 100}%`;
  return {
    width: percent(size.width, crop.width),
    left: `-${percent(crop.x, crop.width)}`,
    top: `-${percent(crop.y, crop.height)}`,
  };
}

const STEP = 0.05;
const KEYS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, -STEP],
  ArrowDown: [0, STEP],
};

function Stage({
  url,
  ratio,
  size,
  view,
  onView,
  children,
}: {
  url: string | undefined;
  ratio: number;
  size: { width: number; height: number } | null;
  view: View;
  onView: (view: View) => void;
  children: React.ReactNode;
}) {
  const from = useRef<{ x: number; y: number } | null>(null);
  return (
    <div
      role="application"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the picture
      tabIndex={0}
      aria-label="The part that is kept. Move it with the arrow keys."
      className={`relative w-full cursor-grab touch-none overflow-hidden bg-surface-3 active:cursor-grabbing ${ratio === 1 ? 'mx-auto max-w-80 rounded-full' : 'rounded-control'}`}
      style={{ aspectRatio: ratio }}
      onKeyDown={(event) => {
        const by = KEYS[event.key];
        if (!by || !size) return;
        event.preventDefault();
        onView(moved(size, ratio, view, by));
      }}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        from.current = { x: event.clientX, y: event.clientY };
      }}
      onPointerMove={(event) => {
        if (!from.current || !size) return;
        const { clientWidth, clientHeight } = event.currentTarget;
        const by = [
          (from.current.x - event.clientX) / clientWidth,
          (from.current.y - event.clientY) / clientHeight,
        ] as const;
        from.current = { x: event.clientX, y: event.clientY };
        onView(moved(size, ratio, view, by));
      }}
      onPointerUp={() => {
        from.current = null;
      }}
    >
      {url && children}
    </div>
  );
}
