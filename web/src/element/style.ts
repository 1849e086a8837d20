/** How the light skin looks. A sheet of its own kind, which no Content-Security-Policy of a page refuses. */

const CSS = `
:host { display: block; position: relative; aspect-ratio: 16 / 9; background: #000; color: #f6f6f8; overflow: hidden;
  font: 400 14px/1.4 "Inter Variable", system-ui, sans-serif; --accent: #f6f6f8; -webkit-font-smoothing: antialiased; }
:host([hidden]) { display: none; }
.screen, .screen > video, .poster { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
.screen > [data-behind] { opacity: 0; }
.dimmed { opacity: .35; }
button, select, a { font: inherit; color: inherit; }
:focus-visible { outline: 2px solid #fff; outline-offset: 2px; border-radius: 8px; }
.bar { position: absolute; inset: auto 0 0; padding: 48px 8px 6px; background: linear-gradient(transparent, rgb(0 0 0 / .82));
  transition: opacity .15s; pointer-events: none; }
.bar > * { pointer-events: auto; }
.row { display: flex; align-items: center; gap: 2px; }
.top { position: absolute; inset: 0 0 auto; padding: 12px 14px 40px; background: linear-gradient(rgb(0 0 0 / .7), transparent);
  transition: opacity .15s; pointer-events: none; }
.top a { pointer-events: auto; display: inline-flex; max-width: 100%; align-items: center; gap: 8px; min-height: 32px; font-weight: 600;
  text-decoration: none; }
.top a:hover { text-decoration: underline; }
.name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.idle .bar:not(:focus-within), .idle .top:not(:focus-within) { opacity: 0; }
.act { display: inline-flex; align-items: center; justify-content: center; flex: none; width: 44px; height: 44px; padding: 0;
  border: 0; border-radius: 10px; background: transparent; cursor: pointer; }
.act:hover, select:hover { background: rgb(255 255 255 / .16); }
.space { flex: 1; min-width: 0; }
.live { display: inline-flex; align-items: center; gap: 6px; height: 44px; padding: 0 6px; border: 0; background: none; cursor: pointer; }
.pill { display: inline-flex; align-items: center; gap: 6px; height: 24px; padding: 0 8px; border-radius: 6px; background: #3a3d46;
  font-size: 12px; font-weight: 700; letter-spacing: .03em; text-transform: uppercase; white-space: nowrap; }
.pill::before { content: ""; width: 6px; height: 6px; border-radius: 50%; background: currentColor; }
.pill.on { background: #d3122c; color: #fff; }
.num { font-variant-numeric: tabular-nums; white-space: nowrap; padding: 0 6px; display: inline-flex; align-items: center; gap: 6px; }
select { height: 36px; max-width: 132px; padding: 0 6px; border: 0; border-radius: 8px; background: transparent; cursor: pointer;
  font-weight: 600; }
select option { color: #111; background: #fff; }
input[type=range] { appearance: none; -webkit-appearance: none; display: block; height: 24px; margin: 0; background: transparent; cursor: pointer; }
.seek { width: calc(100% - 12px); margin: 0 6px !important; }
.volume { width: 76px; margin-right: 8px !important; }
input[type=range]::-webkit-slider-runnable-track { height: 4px; border-radius: 2px;
  background: linear-gradient(to right, var(--accent) var(--fill, 0%), rgb(255 255 255 / .3) var(--fill, 0%)); }
input[type=range]::-webkit-slider-thumb { -webkit-appearance: none; width: 14px; height: 14px; margin-top: -5px; border-radius: 50%; background: #fff; }
input[type=range]::-moz-range-track { height: 4px; border-radius: 2px; background: rgb(255 255 255 / .3); }
input[type=range]::-moz-range-progress { height: 4px; border-radius: 2px; background: var(--accent); }
input[type=range]::-moz-range-thumb { width: 14px; height: 14px; border: 0; border-radius: 50%; background: #fff; }
.say { position: absolute; inset: 0; display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 6px;
  padding: 16px 20px; text-align: center; background: rgb(0 0 0 / .66); }
.say b { font-size: 16px; font-weight: 600; }
.say p { margin: 0; max-width: 44ch; color: #d3d5db; text-wrap: balance; }
.say .do { margin-top: 8px; display: inline-flex; align-items: center; gap: 8px; min-height: 44px; padding: 0 16px; border: 0; border-radius: 10px;
  background: #f6f6f8; color: #15161a; font-weight: 600; text-decoration: none; cursor: pointer; }
.big { position: absolute; inset: 0; margin: auto; width: 76px; height: 76px; display: flex; align-items: center; justify-content: center;
  border: 0; border-radius: 50%; background: #f6f6f8; color: #15161a; cursor: pointer; box-shadow: 0 8px 32px rgb(0 0 0 / .4); }
.sound { position: absolute; left: 12px; top: 52px; display: inline-flex; align-items: center; gap: 8px; min-height: 44px; padding: 0 16px;
  border: 0; border-radius: 22px; background: #f6f6f8; color: #15161a; font-weight: 600; cursor: pointer; }
.spin { width: 28px; height: 28px; border-radius: 50%; border: 3px solid rgb(255 255 255 / .25); border-top-color: #fff; animation: spin .9s linear infinite; }
@keyframes spin { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) { .spin { animation: none; } .bar, .top { transition: none; } }
@media (max-width: 480px) { .volume, .num.wide { display: none; } .sound { top: 48px; } }
[hidden] { display: none !important; }
`;

let sheet: CSSStyleSheet | null = null;

export function dress(root: ShadowRoot): void {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  root.adoptedStyleSheets = [sheet];
}
