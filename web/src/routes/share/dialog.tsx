/** How to pass a page on: its link, with or without a moment, and what another site puts into its own. */
import { Tabs } from '@base-ui/react/tabs';
import { Send } from 'lucide-react';
import { useId, useState } from 'react';
import { momentText } from '../../player/resume';
import { Button } from '../../ui/button';
import { CopyRow } from '../../ui/copy';
import { Dialog } from '../../ui/dialog';
import { clock } from '../../ui/time';
import { elementCode, frameCode, frameUrl, type Shared, WIDTHS, type Width } from './codes';

export default function ShareDialog({
  shared,
  atMs,
  onClose,
}: {
  shared: Shared;
  /** Where the recording stands, when it can be shared from there. */
  atMs: number | null;
  onClose: () => void;
}) {
  // What ticks on under the dialog stays as it was when it opened.
  const [moment] = useState(atMs);
  const [fromHere, setFromHere] = useState(false);
  const [tab, setTab] = useState<string>('link');
  const [width, setWidth] = useState<Width>(640);
  const start = fromHere && moment !== null ? momentText(moment / 1000) : null;
  const link = `${location.origin}${shared.path}${start === null ? '' : `?t=${start}`}`;
  return (
    <Dialog open onClose={onClose} title="Share">
      <Tabs.Root value={tab} onValueChange={(value) => setTab(String(value))}>
        <Tabs.List aria-label="What to copy" className="mb-4 flex gap-1 rounded-control bg-surface-2 p-1">
          {TABS.map(([value, label]) => (
            <Tabs.Tab
              key={value}
              value={value}
              className="min-h-10 flex-1 rounded-lg px-3 text-sm font-medium text-ink-2 hover:text-ink aria-selected:bg-surface-0 aria-selected:text-ink aria-selected:shadow-sm"
            >
              {label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {moment !== null && <Moment ms={moment} checked={fromHere} onChange={setFromHere} />}
        <Tabs.Panel value="link">
          <CopyRow label="Link" value={link} />
          {'share' in navigator && matchMedia('(pointer: coarse)').matches && (
            <Button
              className="mt-4 w-full"
              onClick={() => void navigator.share({ title: shared.title, url: link }).catch(() => undefined)}
            >
              <Send aria-hidden size={16} />
              Send it with an app
            </Button>
          )}
        </Tabs.Panel>
        <Tabs.Panel value="frame" className="flex flex-col gap-4">
          <Preview shared={shared} start={start} />
          <Sizes width={width} onChange={setWidth} />
          <CopyRow label="Code for your page" value={frameCode(shared, location.origin, width, start)} />
          <p className="text-ink-3">Works on every site that takes HTML. Many need the link alone.</p>
        </Tabs.Panel>
        <Tabs.Panel value="element" className="flex flex-col gap-4">
          <Preview shared={shared} start={start} />
          <Sizes width={width} onChange={setWidth} />
          <CopyRow label="Code for your page" value={elementCode(shared, location.origin, width, start)} />
          <p className="text-ink-3">
            For your own site: scripts of yours can play, pause, seek and hear what happens.
          </p>
        </Tabs.Panel>
      </Tabs.Root>
    </Dialog>
  );
}

const TABS = [
  ['link', 'Link'],
  ['frame', 'Frame'],
  ['element', 'Element'],
] as const;

function Moment({
  ms,
  checked,
  onChange,
}: {
  ms: number;
  checked: boolean;
  onChange: (on: boolean) => void;
}) {
  return (
    <label className="mb-3 flex min-h-11 cursor-pointer items-center gap-3 text-ink tabular-nums">
      <input
        type="checkbox"
        checked={checked}
        onChange={(event) => onChange(event.target.checked)}
        className="size-5 accent-ink"
      />
      Start at {clock(ms)}
    </label>
  );
}

/** What visitors of the other site will see, without its sound. */
function Preview({ shared, start }: { shared: Shared; start: string | null }) {
  return (
    <iframe
      key={start}
      src={frameUrl(shared, '', start)}
      title={`Preview of ${shared.title}`}
      allow="autoplay; fullscreen; picture-in-picture"
      className="aspect-video w-full rounded-control border border-line bg-black"
    />
  );
}

function Sizes({ width, onChange }: { width: Width; onChange: (width: Width) => void }) {
  const name = useId();
  return (
    <fieldset className="min-w-0">
      <legend className="mb-1.5 text-sm font-medium text-ink">Size</legend>
      <div className="grid grid-cols-2 gap-2 sm:grid-cols-4">
        {WIDTHS.map((each) => (
          <label
            key={each ?? 'full'}
            className="flex min-h-11 cursor-pointer items-center justify-center rounded-control border border-line px-2 text-ink-2 tabular-nums has-checked:border-ink has-checked:text-ink has-focus-visible:outline-2 has-focus-visible:outline-offset-2"
          >
            <input
              type="radio"
              name={name}
              checked={width === each}
              onChange={() => onChange(each)}
              className="sr-only"
            />
            {each === null ? 'Full width' : `${each} × ${(each * 9) / 16}`}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
