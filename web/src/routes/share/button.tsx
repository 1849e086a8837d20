import { Share2 } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { Button } from '../../ui/button';
import type { Shared } from './codes';

/** Its libraries are for whoever shares. */
const ShareDialog = lazy(() => import('./dialog'));

/** Opens what there is to share of a page. */
export function ShareButton({ shared, atMs = null }: { shared: Shared; atMs?: number | null }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button onClick={() => setOpen(true)} aria-haspopup="dialog">
        <Share2 aria-hidden size={16} />
        Share
      </Button>
      {open && (
        <Suspense fallback={null}>
          <ShareDialog shared={shared} atMs={atMs} onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
