/* What pointers do on the panes: zoom, drag, point, pin, draw a line. */

/** A pointer that moved less than this, in CSS pixels, has clicked. */
const STILL = 4;

/** Listens on the panes; the result ends what is listened to beyond them. */
function connectGestures(viewer) {
  const grid = viewer.root.querySelector(".grid"), touching = new Map();
  let start = null, pinch = null;
  const hold = (isHeld) => () => { viewer.report.isHeld = isHeld; };
  const letGo = hold(false);
  viewer.root.addEventListener("pointerdown", hold(true), { capture: true });
  for (const name of ["pointerup", "pointercancel", "blur"]) window.addEventListener(name, letGo);
  const frameOf = (event) => event.composedPath().find((node) => node.classList?.contains("frame"));
  const shares = (frame, { clientX, clientY }) => {
    const box = frame.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height, box];
  };

  grid.addEventListener("wheel", (event) => {
    const frame = frameOf(event);
    if (!frame) return;
    const factor = Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : event.ctrlKey ? 0.01 : 0.0022));
    if (factor < 1 && viewer.view.zoom[0] === 1) return;  // nothing to zoom out of: the page scrolls
    event.preventDefault();
    const [x, y] = shares(frame, event);
    viewer.change({ zoom: zoomedAt(viewer.view.zoom, factor, x, y) });
  }, { passive: false });

  grid.addEventListener("dblclick", (event) => {
    const frame = frameOf(event);
    if (!frame || viewer.lining) return;
    const [x, y] = shares(frame, event);
    viewer.change({ zoom: zoomedAt(viewer.view.zoom, event.shiftKey ? 0.5 : 2, x, y) });
  });

  grid.addEventListener("pointerdown", (event) => {
    const frame = frameOf(event);
    if (!frame || event.button) return;
    frame.setPointerCapture(event.pointerId);
    touching.set(event.pointerId, event);
    if (touching.size === 2) {
      pinch = { zoom: viewer.view.zoom, gap: gapOf(touching) };
      start = null;
      return;
    }
    const pixel = viewer.pixelAt(frame, event);
    start = { frame, pixel, x: event.clientX, y: event.clientY, zoom: viewer.view.zoom, moved: false };
  });

  grid.addEventListener("pointermove", (event) => {
    const frame = frameOf(event);
    if (!frame) return;
    if (touching.has(event.pointerId)) touching.set(event.pointerId, event);
    if (pinch && touching.size === 2) {
      const [one, two] = touching.values();
      const [x, y] = shares(frame, { clientX: (one.clientX + two.clientX) / 2, clientY: (one.clientY + two.clientY) / 2 });
      viewer.change({ zoom: zoomedAt(pinch.zoom, gapOf(touching) / pinch.gap, x, y) });
      return;
    }
    viewer.pointAt(viewer.pixelAt(frame, event), frame.pane);
    if (!start) return;
    const acrossMoved = event.clientX - start.x, downMoved = event.clientY - start.y;
    if (!start.moved && Math.hypot(acrossMoved, downMoved) < STILL) return;
    start.moved = true;
    if (viewer.lining) {
      viewer.drawLine([...start.pixel, ...viewer.pixelAt(frame, event)]);
    } else if (start.zoom[0] > 1) {
      const [, , box] = shares(frame, event);
      viewer.root.classList.add("dragging");
      viewer.change({ zoom: pannedBy(start.zoom, acrossMoved / box.width, downMoved / box.height) });
    }
  });

  const finish = (event, cancelled) => {
    touching.delete(event.pointerId);
    if (touching.size < 2) pinch = null;
    viewer.root.classList.remove("dragging");
    if (!start) return;
    const { moved, pixel } = start;
    start = null;
    if (viewer.lining && viewer.drawnLine) viewer.keepLine();
    else if (!moved && !cancelled && !viewer.lining) viewer.change({ pin: samePixel(viewer.view.pin, pixel) ? null : pixel });
  };
  grid.addEventListener("pointerup", (event) => finish(event, false));
  grid.addEventListener("pointercancel", (event) => finish(event, true));
  grid.addEventListener("pointerleave", () => viewer.pointAt(null, null));
  grid.addEventListener("pointerover", (event) => { if (!frameOf(event) && !start) viewer.pointAt(null, null); });
  return () => { for (const name of ["pointerup", "pointercancel", "blur"]) window.removeEventListener(name, letGo); };
}

function gapOf(touching) {
  const [one, two] = touching.values();
  return Math.max(1, Math.hypot(one.clientX - two.clientX, one.clientY - two.clientY));
}

function samePixel(one, two) {
  return Boolean(one && two && Math.abs(one[0] - two[0]) <= 1 && Math.abs(one[1] - two[1]) <= 1);
}

/** Into drawing lines, with one across the middle (or the pin) to begin with; out of it, without a line. */
function toggleLine(viewer) {
  const { picture, view } = viewer;
  viewer.lining = !viewer.lining;
  viewer.root.classList.toggle("lining", viewer.lining);
  const row = view.pin ? view.pin[1] : Math.floor(picture.height / 2);
  viewer.change({ line: viewer.lining ? view.line ?? [0, row, picture.width - 1, row] : null });
}
