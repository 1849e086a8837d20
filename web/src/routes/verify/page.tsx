/** Confirming an address by the link from the mail. A press is needed: mail programs open links by themselves. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { authApi } from '../../api/account';
import { Button, buttonClass } from '../../ui/button';
import { Notice } from '../../ui/notice';
import { useAccount } from '../account';
import { GatePage } from '../gate';
import { useTitle } from '../title';
import { useLinkSecret } from '../use_link_secret';

export function VerifyPage() {
  useTitle('Confirm your address');
  const token = useLinkSecret();
  const queries = useQueryClient();
  const account = useAccount();
  const verify = useMutation({
    mutationFn: () => authApi.verify(token),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['account'] }),
  });
  if (verify.isSuccess) {
    return (
      <GatePage title="Your address is confirmed">
        <p className="mt-3 text-sm text-ink-2">From now on you can sign in with it as well.</p>
        <Link to={account ? '/settings' : '/login'} className={`${buttonClass('primary')} mt-6 w-full`}>
          {account ? 'To your settings' : 'Sign in'}
        </Link>
      </GatePage>
    );
  }
  return (
    <GatePage title="Confirm your address">
      <div className="mt-3 flex flex-col gap-5">
        {token === '' ? (
          <Notice title="This link is not whole">
            Open it from the mail again; some programs cut long links.
          </Notice>
        ) : (
          <p className="text-sm text-ink-2">One press, and the address belongs to your account.</p>
        )}
        {verify.error && <Notice title="The address was not confirmed">{verify.error.message}</Notice>}
        <Button
          look="primary"
          size="lg"
          disabled={token === '' || verify.isPending}
          onClick={() => verify.mutate()}
        >
          Confirm the address
        </Button>
      </div>
    </GatePage>
  );
}
