import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate for `localhost` that nobody vouches for, and its key, as the server is told of them. */
export function issue(folder: string): Record<string, string> {
  const [certificate, key] = [join(folder, 'chain.pem'), join(folder, 'key.pem')];
  const wish = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const files = ['-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', ...kind, ...wish, ...files], { stdio: 'ignore' });
  return { TALLYLIGHT_TLS_CERTIFICATE: certificate, TALLYLIGHT_TLS_PRIVATE_KEY: key };
}

/**
 * The same, by an authority that a browser trusts whose `HOME` is that folder: what no flag makes a browser believe,
 * such as a TURN server's certificate.
 */
export function issueTrusted(folder: string): Record<string, string> {
  const path = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore', cwd: folder });
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...kind,
    '-days',
    '2',
    '-subj',
    '/CN=Tests',
    '-keyout',
    'authority.key',
    '-out',
    'authority.pem',
  );
  openssl('req', ...kind, '-subj', '/CN=localhost', '-keyout', 'key.pem', '-out', 'wish.pem');
  writeFileSync(path('names'), 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n');
  const by = ['-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial'];
  openssl('x509', '-req', '-in', 'wish.pem', ...by, '-days', '2', '-extfile', 'names', '-out', 'chain.pem');
  const store = `sql:${path('.pki/nssdb')}`;
  mkdirSync(path('.pki/nssdb'), { recursive: true });
  const certutil = (...args: string[]) =>
    execFileSync('certutil', ['-d', store, ...args], { stdio: 'ignore' });
  certutil('-N', '--empty-password');
  certutil('-A', '-t', 'C,,', '-n', 'tests', '-i', path('authority.pem'));
  return { TALLYLIGHT_TLS_CERTIFICATE: path('chain.pem'), TALLYLIGHT_TLS_PRIVATE_KEY: path('key.pem') };
}
