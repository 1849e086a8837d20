/** The page for frames: a player that fills it, and its words with the page around. */
import '../player_script';
import './embed.css';
import type { TallylightPlayer } from '../element/element';
import { connect } from './bridge';
import { readAddress } from './query';

const asked = readAddress(location.pathname, location.search);
const player = document.createElement('tallylight-player') as TallylightPlayer;
const attributes: Record<string, string | null> = {
  channel: asked.channel,
  video: asked.video,
  start: asked.start,
  accent: asked.accent,
  autoplay: asked.autoplay ? '' : null,
  muted: asked.muted ? '' : null,
  controls: asked.controls ? '' : null,
};
for (const [name, value] of Object.entries(attributes)) {
  if (value !== null) player.setAttribute(name, value);
}
connect(player, asked.origin);
document.querySelector('main')?.append(player);
