/* How panes stand: side by side, or two on one place with a line between them (wipe) or in turns (blink). */

/** Half the time of a blink, in ms: slow enough to see each picture, and far below what may trouble anyone. */
const BLINK = 700;

function arrange(viewer) {
  const { root, picture, view } = viewer, grid = root.querySelector(".grid"), layout = viewer.layout();
  const shown = viewer.shownPanes(), pair = layout === "side" ? [] : shown;
  const key = `${picture.id} ${layout} ${shown.map((pane) => pane.key)}`;
  grid.style.setProperty("--wipe", view.wipe);
  if (viewer.divider) put(viewer.divider, "aria-valuenow", String(Math.round(100 * view.wipe)));
  if (viewer.arranged === key) return;
  viewer.arranged = key;
  grid.className = `grid${pair.length ? ` two ${layout}` : ""}`;
  grid.style.setProperty("--ratio", picture.width / picture.height);
  grid.style.setProperty("--panes", shown.length);
  for (const pane of viewer.panes) {
    const second = pane === pair[1];
    for (const part of pane.figure.children) part.classList.toggle("second", second);
    pane.frame.style.aspectRatio = `${picture.width} / ${picture.height}`;
    pane.figure.hidden = !shown.includes(pane);
  }
  grid.replaceChildren(...shown.map((pane) => pane.figure));
  viewer.divider = null;
  if (layout === "wipe") {
    viewer.divider = element("div", {
      class: "divider", role: "slider", tabindex: "0", "aria-label": "Line of the wipe", "aria-valuemin": "0",
      "aria-valuemax": "100", "aria-valuenow": String(Math.round(100 * view.wipe)),
    });
    connectDivider(viewer, viewer.divider);
    grid.append(viewer.divider);
  }
  clearInterval(viewer.blinker);
  if (layout === "blink") {
    viewer.turn = 0;
    showTurn(viewer);
    if (!blinksByHand()) viewer.blinker = setInterval(() => takeTurns(viewer), BLINK);
  }
  viewer.measure();
}

/** Who has asked for less motion turns by hand: each space shows the other pane, Escape leaves. */
function blinksByHand() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function takeTurns(viewer) {
  viewer.turn = 1 - viewer.turn;
  showTurn(viewer);
}

function showTurn(viewer) {
  viewer.pair().forEach((pane, place) => {
    pane.frame.classList.toggle("away", place !== viewer.turn);
    pane.head.classList.toggle("now", place === viewer.turn);
  });
}

function connectDivider(viewer, divider) {
  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    event.preventDefault();
    divider.focus({ preventScroll: true });
  });
  divider.addEventListener("pointermove", (event) => {
    if (!divider.hasPointerCapture(event.pointerId)) return;
    const box = divider.parentElement.getBoundingClientRect();
    viewer.change({ wipe: Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) });
  });
  divider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02, Home: -1, End: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    viewer.change({ wipe: Math.min(Math.max(viewer.view.wipe + step, 0), 1) });
  });
}
