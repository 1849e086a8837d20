/** The second step of signing in: enrolling an app, recovery codes, turning it off. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { type Account, accountApi, type Enrolment } from '../../api/account';
import { Button } from '../../ui/button';
import { Card } from '../../ui/card';
import { CopyButton, CopyRow } from '../../ui/copy';
import { TextField } from '../../ui/field';
import { Notice } from '../../ui/notice';
import { Pill } from '../../ui/pill';
import { ConfirmDialog } from './confirm_dialog';
import { accountQuery } from './frame';

type Asking = 'begin' | 'renew' | 'end' | null;

export function SecondStepCard({ account }: { account: Account }) {
  const queries = useQueryClient();
  const [asking, setAsking] = useState<Asking>(null);
  const [enrolment, setEnrolment] = useState<Enrolment | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: accountQuery.queryKey, exact: true });
  const act = useMutation({
    mutationFn: async ({ what, password }: { what: Asking; password: string }) => {
      if (what === 'begin') setEnrolment(await accountApi.beginSecondStep({ password }));
      else if (what === 'renew') setCodes((await accountApi.renewRecoveryCodes({ password })).codes);
      else await accountApi.endSecondStep({ password });
    },
    onSuccess: () => {
      setAsking(null);
      return refresh();
    },
  });
  const words = asking ? WORDS[asking] : WORDS.begin;
  return (
    <Card
      title="Authenticator app"
      aside={<Pill tone="neutral">{account.has_second_step ? 'On' : 'Off'}</Pill>}
    >
      {codes ? (
        <RecoveryCodes codes={codes} onDone={() => setCodes(null)} />
      ) : enrolment ? (
        <Enrol
          enrolment={enrolment}
          onCancel={() => setEnrolment(null)}
          onDone={(made) => {
            setEnrolment(null);
            setCodes(made);
            void refresh();
          }}
        />
      ) : account.has_second_step ? (
        <div className="flex flex-col gap-4 text-sm text-ink-2">
          <p>
            Signing in takes a code of your app as well. You have {account.recovery_codes} recovery{' '}
            {account.recovery_codes === 1 ? 'code' : 'codes'} left for the day when the app is gone.
          </p>
          <div className="flex flex-wrap gap-2">
            <Button onClick={() => setAsking('renew')}>New recovery codes</Button>
            <Button look="warn" onClick={() => setAsking('end')}>
              Turn off
            </Button>
          </div>
        </div>
      ) : (
        <div className="flex flex-col items-start gap-4 text-sm text-ink-2">
          <p>With an app on your phone that makes six-digit codes, a stolen password alone opens nothing.</p>
          <Button onClick={() => setAsking('begin')}>Set up an app</Button>
        </div>
      )}
      <ConfirmDialog
        open={asking !== null}
        title={words.title}
        act={words.act}
        look={asking === 'end' ? 'warn' : 'primary'}
        error={act.error}
        pending={act.isPending}
        onConfirm={(password) => act.mutate({ what: asking, password })}
        onClose={() => {
          act.reset();
          setAsking(null);
        }}
      >
        {words.text}
      </ConfirmDialog>
    </Card>
  );
}

const WORDS = {
  begin: {
    title: 'Set up an authenticator app',
    act: 'Continue',
    text: 'First give your password again.',
  },
  renew: {
    title: 'Get new recovery codes',
    act: 'Get new codes',
    text: 'The old codes stop working at once.',
  },
  end: {
    title: 'Turn the second step off',
    act: 'Turn off',
    text: 'From then on your password alone signs you in. The recovery codes are worth nothing any more.',
  },
};

interface EnrolProps {
  enrolment: Enrolment;
  onCancel: () => void;
  onDone: (codes: string[]) => void;
}

function Enrol({ enrolment, onCancel, onDone }: EnrolProps) {
  const [code, setCode] = useState('');
  const confirm = useMutation({
    mutationFn: () => accountApi.confirmSecondStep(code),
    onSuccess: ({ codes }) => onDone(codes),
    onError: () => setCode(''),
  });
  return (
    <form
      className="flex flex-col gap-5"
      onSubmit={(event) => {
        event.preventDefault();
        confirm.mutate();
      }}
    >
      <div className="flex flex-col gap-5 sm:flex-row">
        <QrPicture squares={enrolment.squares} />
        <div className="flex min-w-0 flex-1 flex-col gap-4 text-sm text-ink-2">
          <p>Scan the picture with your app. Where that does not work, type this in:</p>
          <CopyRow label="Secret" value={enrolment.secret} />
        </div>
      </div>
      <TextField
        label="Code that the app shows"
        value={code}
        required
        autoFocus
        inputMode="numeric"
        autoComplete="one-time-code"
        onChange={(event) => setCode(event.target.value)}
      />
      {confirm.error && <Notice title="That did not work">{confirm.error.message}</Notice>}
      <div className="flex flex-wrap gap-2">
        <Button type="submit" look="primary" disabled={confirm.isPending || code === ''}>
          Turn on
        </Button>
        <Button look="ghost" onClick={onCancel}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

/** Dark squares on light ground in both themes: that is what cameras look for. */
function QrPicture({ squares }: { squares: string[] }) {
  const side = squares.length + 8;
  const path = squares
    .flatMap((row, y) => [...row].map((square, x) => (square === '1' ? `M${x + 4} ${y + 4}h1v1h-1z` : '')))
    .join('');
  return (
    <svg
      role="img"
      aria-label="QR code for the authenticator app"
      viewBox={`0 0 ${side} ${side}`}
      className="size-48 shrink-0 self-center rounded-control bg-white sm:self-start"
      shapeRendering="crispEdges"
    >
      <path d={path} fill="#000" />
    </svg>
  );
}

function RecoveryCodes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  return (
    <div className="flex flex-col gap-4">
      <Notice title="Keep these codes now">
        They are shown this once. Each signs you in once in place of the app.
      </Notice>
      <ul className="grid grid-cols-1 gap-x-6 gap-y-1 font-mono text-sm sm:grid-cols-2">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <div className="flex flex-wrap gap-2">
        <CopyButton text={codes.join('\n')} label="Copy all" what="recovery codes" />
        <Button size="sm" look="primary" onClick={onDone}>
          I have kept them
        </Button>
      </div>
    </div>
  );
}
