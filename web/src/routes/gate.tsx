import type { ReactNode } from 'react';
import { Card } from '../ui/card';
import { Frame } from './frame';

/** A link beneath a form on such a page. */
export const gateLink = 'rounded py-1 text-ink-2 underline underline-offset-4 hover:text-ink';

/** A page with one small form: signing in and up, and what links in mails lead to. */
export function GatePage({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Frame>
      <div className="mx-auto w-full max-w-md px-4 py-8 sm:py-14">
        <Card>
          <h1 className="text-xl font-semibold tracking-tight">{title}</h1>
          {children}
        </Card>
      </div>
    </Frame>
  );
}
