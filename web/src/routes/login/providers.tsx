/** The other ways to sign in, and why one of them did not work. */
import { useQuery } from '@tanstack/react-query';
import { LogIn } from 'lucide-react';
import { buttonClass } from '../../ui/button';
import { Notice } from '../../ui/notice';
import { instanceQuery } from '../instance';

export function Providers({ next }: { next: string | undefined }) {
  const providers = useQuery(instanceQuery).data?.providers ?? [];
  if (providers.length === 0) return null;
  return (
    <>
      <ul className="mt-6 flex flex-col gap-3">
        {providers.map(({ name, label }) => (
          <li key={name}>
            {/* A document of its own: it leads to the provider's site. */}
            <a
              className={`${buttonClass('secondary', 'lg')} w-full`}
              href={`/api/auth/oidc/${name}?next=${encodeURIComponent(next ?? '/')}`}
            >
              <LogIn aria-hidden size={18} />
              Continue with {label}
            </a>
          </li>
        ))}
      </ul>
      <p className="mt-6 flex items-center gap-3 text-sm text-ink-3 before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
        or with your password
      </p>
    </>
  );
}

export function ProviderProblem({ code }: { code: string }) {
  return (
    <div className="mt-6">
      <Notice title="Signing in with the provider did not work">{WORDS[code] ?? WORDS.oidc_refused}</Notice>
    </div>
  );
}

const WORDS: Record<string, string> = {
  oidc_over: 'It took too long, was used already, or began in another browser. Begin again.',
  oidc_denied: 'The provider says that you did not agree. Begin again if that was not meant.',
  oidc_unreachable: 'The provider does not answer. Try again in a minute, or use your password.',
  oidc_refused: 'What the provider said could not be trusted. Tell whoever runs this server.',
  oidc_no_sign_up:
    'You have no account here, and nobody may make one that way. Sign in with a password and link the provider in your settings, or ask for an invite.',
  oidc_no_address:
    'Signing up here needs an address that your provider has confirmed and that no account here has. If you have an account, sign in with your password and link the provider in your settings.',
  oidc_taken: 'That account at the provider belongs to another account here.',
  account_suspended: 'This account was suspended. Ask whoever runs this server.',
  email_unconfirmed: 'Open the link in the mail that we sent you first.',
  database_unavailable: 'The server cannot read its accounts now. Try again in a minute.',
};
