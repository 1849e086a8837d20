/** What is told of somebody's support. */

import type { Emote, Message, Support } from '../../chat/protocol';
import { givenText } from '../../payments/support';
import { useTierNames } from '../payments/use_payments';
import { Words } from './words';

/** Behind the name of who gives: "is a member now (Friend)". */
export function Given({ support, handle }: { support: Support; handle: string }) {
  const nameOf = useTierNames(handle, support.what === 'membership');
  return <>{givenText(support, nameOf)}</>;
}

/** All that a message says, behind the name of its writer, as one line. */
export function AfterName({
  message: { support, text },
  handle,
  emotes,
  own,
}: {
  message: Message;
  handle: string;
  emotes: ReadonlyMap<string, Emote>;
  own: string | null;
}) {
  return (
    <>
      {support && (
        <>
          {' '}
          <Given support={support} handle={handle} />
        </>
      )}
      {(text !== '' || !support) && (
        <>
          : <Words text={text} emotes={emotes} own={own} />
        </>
      )}
    </>
  );
}
