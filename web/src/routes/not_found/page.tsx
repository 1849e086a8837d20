import { Link } from '@tanstack/react-router';
import { buttonClass } from '../../ui/button';
import { Frame } from '../frame';
import { useTitle } from '../title';

export function NotFoundPage() {
  useTitle('Page not found');
  return (
    <Frame>
      <div className="m-auto max-w-md px-6 py-16 text-center">
        <p className="text-sm font-semibold text-ink-3 tabular-nums">404</p>
        <h1 className="mt-2 text-2xl font-semibold tracking-tight">There is no page here</h1>
        <p className="mt-3 text-ink-2">
          The address may be mistyped. A channel's page is its handle after an @, such as{' '}
          <code className="font-mono text-ink">/@name</code>.
        </p>
        <Link to="/" className={`${buttonClass('primary')} mt-8`}>
          See who is live
        </Link>
      </div>
    </Frame>
  );
}
