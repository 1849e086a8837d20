/** ICE restart in SDP fragments (RFC 8840): what goes into the PATCH and what its answer changes. */

/** The fragment that asks for a restart with the credentials of a local offer. */
export function restartFragment(offer: string): string {
  const lines = offer.split(/\r?\n/);
  const ufrag = lines.find((line) => line.startsWith('a=ice-ufrag:'));
  const pwd = lines.find((line) => line.startsWith('a=ice-pwd:'));
  const media = lines.find((line) => line.startsWith('m='));
  const mid = lines.find((line) => line.startsWith('a=mid:'));
  if (!ufrag || !pwd || !media || !mid) throw new Error('The offer has no ICE credentials.');
  const candidates = new Set(lines.filter((line) => line.startsWith('a=candidate:')));
  return [ufrag, pwd, media, mid, ...candidates, ''].join('\r\n');
}

/**
 * The remote answer after a restart: new credentials in every m-line and the candidates of the
 * fragment. A candidate's `ufrag` attribute goes, for it names the generation that it came with.
 */
export function applyRestart(answer: string, fragment: string): string {
  const lines = fragment.split(/\r?\n/);
  const ufrag = lines.find((line) => line.startsWith('a=ice-ufrag:'));
  const pwd = lines.find((line) => line.startsWith('a=ice-pwd:'));
  if (!ufrag || !pwd) throw new Error('The server answered the restart without ICE credentials.');
  const fresh = [...new Set(lines.filter((line) => line.startsWith('a=candidate:')).map(withoutUfrag))];

  const out: string[] = [];
  let mediaSeen = false;
  let candidatesPlaced = false;
  for (const line of answer.split(/\r?\n/)) {
    if (line.startsWith('m=')) mediaSeen = true;
    if (line.startsWith('a=candidate:')) {
      if (fresh.length === 0) out.push(withoutUfrag(line));
      continue;
    }
    if (line.startsWith('a=ice-ufrag:')) {
      out.push(ufrag);
    } else if (line.startsWith('a=ice-pwd:')) {
      out.push(pwd);
      if (mediaSeen && !candidatesPlaced) {
        out.push(...fresh);
        candidatesPlaced = true;
      }
    } else {
      out.push(line);
    }
  }
  return out.join('\r\n');
}

function withoutUfrag(candidate: string): string {
  return candidate.replace(/ ufrag \S+/, '');
}
