/** The addresses that a server tells in its answer (RFC 8839 §5.1), and what they are good for. */

export type Protocol = 'udp' | 'tcp';

export interface Candidate {
  protocol: Protocol;
  ip: string;
  port: number;
}

/** Who can reach an address. */
export type Reach = 'public' | 'private' | 'loopback';

/** The server's candidates, each once. */
export function candidatesOf(sdp: string): Candidate[] {
  const found = new Map<string, Candidate>();
  for (const [, protocol = '', ip = '', port = ''] of sdp.matchAll(CANDIDATE)) {
    const candidate = { protocol: protocol.toLowerCase() as Protocol, ip, port: Number(port) };
    found.set(`${candidate.protocol} ${place(candidate)}`, candidate);
  }
  return [...found.values()];
}

/** The answer without the candidates of the other protocol. */
export function keepOnly(sdp: string, protocol: Protocol): string {
  const other = protocol === 'udp' ? 'tcp' : 'udp';
  return sdp
    .split(/(?<=\n)/)
    .filter((line) => !new RegExp(`^a=candidate:\\S+ \\d+ ${other} `, 'i').test(line))
    .join('');
}

/** "203.0.113.7:8189", "[2001:db8::7]:8189". */
export function place({ ip, port }: { ip: string; port: number }): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** Who can reach that address: everybody, its own network (RFC 1918, 6598, 3927, 4193, 4291), or its machine. */
export function reachOf(ip: string): Reach {
  const address = ip.toLowerCase().replace(/^::ffff:/, '');
  if (address === '::1' || /^127\./.test(address)) return 'loopback';
  const [first = 0, second = 0] = address.split('.').map(Number);
  const isPrivate = address.includes(':')
    ? /^f[cd]|^fe[89ab]/.test(address)
    : first === 10 ||
      (first === 172 && second >= 16 && second < 32) ||
      (first === 192 && second === 168) ||
      (first === 100 && second >= 64 && second < 128) ||
      (first === 169 && second === 254);
  return isPrivate ? 'private' : 'public';
}

const CANDIDATE = /^a=candidate:\S+ \d+ (udp|tcp) \d+ (\S+) (\d+) typ /gim;
