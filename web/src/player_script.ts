/** `/player.js`, by a name that stays: whoever imports it has `<tallylight-player>` on the page. */
import { TallylightPlayer } from './element/element';

// Two copies on a page are one too many.
if (!customElements.get('tallylight-player')) customElements.define('tallylight-player', TallylightPlayer);
