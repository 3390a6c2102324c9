"""How the report's page looks, and what its script does."""

STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1d1f23; --faint: #6b7078; --line: #d9dce1; --panel: #f5f6f8;
  --c0: #1668b8; --c1: #d1495b; --c2: #1b8a5a; --c3: #9a5fc2; --warn: #b4530a }
@media (prefers-color-scheme: dark) { :root { --back: #17191c; --text: #e6e8eb; --faint: #9aa0a8; --line: #3a3e45;
  --panel: #212429; --c0: #6cb2ff; --c1: #ff8593; --c2: #5fd3a0; --c3: #cfa2f2; --warn: #ffab5e } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 980px; padding: 0 1em; color: var(--text);
  background: var(--back) }
h1 { font-size: 24px; overflow-wrap: anywhere } h2 { font-size: 18px; margin-top: 1.8em }
table { border-collapse: collapse; font-size: 14px } td, th { padding: 3px 12px 3px 0; text-align: left;
  vertical-align: top; border-bottom: 1px solid var(--line); overflow-wrap: anywhere } td.number { text-align: right }
figure { margin: 0.6em 0 } figcaption, .faint { color: var(--faint); font-size: 13px }
.film { position: sticky; top: 0; background: var(--back); padding: 6px 0; z-index: 1 }
video { display: block; max-width: 100%; max-height: 42vh; background: #000 }
.advice li { margin: 0.3em 0 } .lacks { color: var(--warn); font-weight: 600 }
.pictures { display: flex; flex-wrap: wrap; gap: 10px } .pictures figure { width: 132px; margin: 0; font-size: 12px }
.pictures img { width: 100%; display: block; border-radius: 3px } .pictures figcaption { overflow-wrap: anywhere }
button { font: inherit; color: var(--c0); background: none; border: 0; padding: 0; cursor: pointer;
  text-decoration: underline }
summary { cursor: pointer; color: var(--faint) }
svg { display: block; width: 100%; height: auto; background: var(--panel); border-radius: 4px; margin: 8px 0;
  cursor: crosshair; font: 11px system-ui, sans-serif }
svg text { fill: var(--faint) } svg .title { fill: var(--text); font-weight: 600; font-size: 12px }
svg path { fill: none } .grid { stroke: var(--line) } .part { stroke: var(--faint); stroke-dasharray: 2 3 }
.curve { stroke-width: 1.4; stroke-linejoin: round; stroke-linecap: round } .dashed { stroke-dasharray: 4 3 }
.left-out { stroke: var(--warn); stroke-width: 1.5 } .cursor { stroke: var(--text); stroke-width: 1 }
path.c0 { stroke: var(--c0) } path.c1 { stroke: var(--c1) } path.c2 { stroke: var(--c2) } path.c3 { stroke: var(--c3) }
svg tspan.c0 { fill: var(--c0) } svg tspan.c1 { fill: var(--c1) } svg tspan.c2 { fill: var(--c2) }
svg tspan.c3 { fill: var(--c3) }
"""

SCRIPT = """
const film = document.querySelector("video"), charts = [...document.querySelectorAll("svg")];
const clamp = (value, most) => Math.max(0, Math.min(most, value));
function show(row) {
  film.pause();
  film.currentTime = (row + 0.5) / track.fps;
}
function nearest(x) {
  let best = 0;
  track.x.forEach((value, row) => { if (Math.abs(value - x) < Math.abs(track.x[best] - x)) best = row; });
  return best;
}
for (const button of document.querySelectorAll("button[data-row]"))
  button.onclick = () => show(Number(button.dataset.row));
const [low, high] = track.limits, span = high - low || 1, width = track.right - track.left;
for (const chart of charts)
  chart.onclick = event => {
    const box = chart.getBoundingClientRect(), at = (event.clientX - box.left) / box.width * track.width;
    show(nearest(low + clamp((at - track.left) / width, 1) * span));
  };
function follow() {
  const row = clamp(Math.floor(film.currentTime * track.fps), track.x.length - 1);
  const x = track.left + (track.x[row] - low) / span * width;
  for (const chart of charts) {
    const line = chart.querySelector(".cursor");
    line.setAttribute("transform", `translate(${x.toFixed(1)} 0)`);
    line.setAttribute("visibility", "visible");
  }
  requestAnimationFrame(follow);
}
follow();
"""
"""Charts and buttons lead to frames of the film, and a line in the charts follows it.

It expects a constant `track`: frames a second of the film, which shows one for each of the `x`, the limits of the axis,
and where that lies in the charts.
"""
