/** A picture that is chosen, cut to its part, replaced and taken away. */
import { useMutation } from '@tanstack/react-query';
import { ImageUp, Trash2 } from 'lucide-react';
import { useRef, useState } from 'react';
import type { Crop } from '../../api/pictures';
import { Button } from '../../ui/button';
import { Notice } from '../../ui/notice';
import { CropDialog } from './crop_dialog';

const MOST_BYTES = 10 * 1024 * 1024;
const KINDS = ['image/png', 'image/jpeg', 'image/webp', 'image/gif'];

export function PictureUpload({
  name,
  ratio,
  has,
  upload,
  remove,
  onChanged,
  children,
}: {
  /** What it is called, such as "banner". */
  name: string;
  ratio: number;
  has: boolean;
  upload: (file: File, crop: Crop) => Promise<unknown>;
  remove: () => Promise<unknown>;
  onChanged: () => Promise<unknown>;
  /** What it looks like now. */
  children: React.ReactNode;
}) {
  const input = useRef<HTMLInputElement>(null);
  const [file, setFile] = useState<File | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const taking = useMutation({ mutationFn: remove, onSuccess: onChanged });
  const choose = (chosen: File | undefined) => {
    if (!chosen) return;
    const wrong = problemOf(chosen);
    setProblem(wrong);
    if (!wrong) setFile(chosen);
  };
  return (
    <div className="flex flex-col gap-3">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
        {children}
        <input
          ref={input}
          type="file"
          accept={KINDS.join(',')}
          aria-label={`Choose a ${name}`}
          className="sr-only"
          tabIndex={-1}
          onChange={(event) => {
            choose(event.target.files?.[0]);
            event.target.value = '';
          }}
        />
        <div className="flex flex-wrap gap-2">
          <Button size="sm" onClick={() => input.current?.click()}>
            <ImageUp aria-hidden size={16} />
            {has ? `Change the ${name}` : `Upload a ${name}`}
          </Button>
          {has && (
            <Button size="sm" look="ghost" disabled={taking.isPending} onClick={() => taking.mutate()}>
              <Trash2 aria-hidden size={16} />
              Remove the {name}
            </Button>
          )}
        </div>
      </div>
      {problem && <Notice title="This picture cannot be taken">{problem}</Notice>}
      {taking.error && <Notice title="That did not work">{taking.error.message}</Notice>}
      {file && (
        <CropDialog
          file={file}
          ratio={ratio}
          title={`Choose the part for the ${name}`}
          upload={(crop) => upload(file, crop)}
          onUploaded={onChanged}
          onClose={() => setFile(null)}
        />
      )}
    </div>
  );
}

/** What the server would refuse, said before it is sent. */
function problemOf(file: File): string | null {
  if (file.type === 'image/svg+xml') {
    return 'SVG drawings are not taken, for they can hold programs. Save it as PNG.';
  }
  if (file.size > MOST_BYTES) {
    const megabytes = Math.round(file.size / 1024 / 1024);
    return `It has ${megabytes} MB, and 10 MB is the most. Save it smaller, or as JPEG.`;
  }
  return null;
}
