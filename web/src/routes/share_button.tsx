import { Check, Share2 } from 'lucide-react';
import { useEffect, useState } from 'react';
import { Button } from '../ui/button';
import { copyText } from '../ui/copy';

/** Gives a link to the phone's own list, or to the clipboard, and says so. */
export function ShareButton({ title, url, label = 'Share' }: { title: string; url: string; label?: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  const share = async () => {
    const byPhone = 'share' in navigator && matchMedia('(pointer: coarse)').matches;
    if (byPhone) await navigator.share({ title, url }).catch(() => undefined);
    else setCopied(await copyText(url).catch(() => false));
  };
  return (
    <Button onClick={() => void share()} className="tabular-nums">
      {copied ? <Check aria-hidden size={16} /> : <Share2 aria-hidden size={16} />}
      {copied ? 'Link copied' : label}
    </Button>
  );
}
