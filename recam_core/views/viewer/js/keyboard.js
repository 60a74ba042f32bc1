/* Keys. They work wherever the page has no other use for them, so nothing has to be clicked first. */

const OVERLAY_KEYS = { e: "errors", b: "taken", h: "heat", k: "contour", s: "seeds", d: "disagreement" };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function connectKeyboard(viewer) {
  const listen = (event) => {
    if (!viewer.picture || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTaken(event, viewer.root)) return;
    if (pressed(viewer, event)) event.preventDefault();
  };
  document.addEventListener("keydown", listen);
  return () => document.removeEventListener("keydown", listen);
}

/** What takes every key while it has the focus, and what takes those that press or choose. */
const WRITTEN_IN = "textarea, select, [contenteditable], [role=combobox], [role=listbox], [role=textbox], [role=menu], " +
  "[role=dialog], [role=grid], canvas, iframe, input:not([type=range], [type=checkbox], [type=radio], [type=button])";
const MOVED_BY_ARROWS = "input[type=range], input[type=radio], [role=slider], [role=radiogroup], [role=tablist]";
const PRESSED = "button, a[href], summary, input[type=checkbox], input[type=radio], [role=button], [role=switch]";

/** Whether the key belongs to what has the focus, within the viewer or elsewhere on the page. */
function isTaken(event, root) {
  const [target] = event.composedPath();
  if (root.querySelector("dialog[open]")) return true;
  if (!(target instanceof Element) || target === document.body) return false;
  if (target.closest(WRITTEN_IN)) return true;
  if (/^(Arrow|Home|End|Page)/.test(event.key) && target.closest(MOVED_BY_ARROWS)) return true;
  return (event.key === " " || event.key === "Enter") && target.closest(PRESSED) !== null;
}

/** Acts on a key, and says whether it had a meaning. */
function pressed(viewer, event) {
  const { view, picture } = viewer, key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key in ARROWS) return arrow(viewer, ARROWS[key], event.shiftKey);
  const digit = /^Digit([1-9])$/.exec(event.code)?.[1] ?? (/^[1-9]$/.test(key) ? key : null);
  if (digit) {
    const k = picture.present[Number(digit) - 1];
    if (k !== undefined) pickClass(viewer, k, event.shiftKey);
    return k !== undefined;
  }
  if (key in OVERLAY_KEYS) {
    const button = viewer.root.querySelector(`[data-overlay=${OVERLAY_KEYS[key]}]`);
    if (!button.disabled) viewer.change({ overlay: OVERLAY_KEYS[key] });
    return true;
  }
  const middle = [0.5, 0.5], next = (list, item) => list[(list.indexOf(item) + 1) % list.length];
  const acts = {
    a: () => viewer.change({ classes: [] }),
    "[": () => viewer.moveThreshold(-0.01),
    "]": () => viewer.moveThreshold(0.01),
    t: () => viewer.change({ cut: next(CUTS, view.cut) }),
    m: () => viewer.change({ colours: next(picture.colourMaps, view.colours) }),
    " ": () => {
      if (viewer.layout() === "blink" && blinksByHand()) takeTurns(viewer);
      else viewer.change({ layout: viewer.layoutToggled("blink") });
    },
    w: () => viewer.change({ layout: viewer.layoutToggled("wipe") }),
    "+": () => viewer.change({ zoom: zoomedAt(view.zoom, 1.5, ...middle) }),
    "=": () => viewer.change({ zoom: zoomedAt(view.zoom, 1.5, ...middle) }),
    "-": () => viewer.change({ zoom: zoomedAt(view.zoom, 1 / 1.5, ...middle) }),
    0: () => viewer.change({ zoom: [1, ...middle] }),
    p: () => viewer.change({ pin: view.pin ? null : viewer.hover ?? viewer.middlePixel() }),
    l: () => toggleLine(viewer),
    "?": () => TOOLS.help(viewer),
    Escape: () => leave(viewer),
  };
  if (!Object.hasOwn(acts, key)) return false;
  acts[key]();
  return true;
}

/** Another picture; with Shift, the pinned probe or the window moves. */
function arrow(viewer, [x, y], shift) {
  const { view, picture } = viewer;
  if (!shift) {
    if (y !== 0 || !viewer.canStep) return false;
    viewer.step(x);
    return true;
  }
  if (view.pin) {
    const within = (value, whole) => Math.min(Math.max(value, 0), whole - 1);
    viewer.change({ pin: [within(view.pin[0] + x, picture.width), within(view.pin[1] + y, picture.height)] });
  } else {
    viewer.change({ zoom: pannedBy(view.zoom, -0.1 * x, -0.1 * y) });
  }
  return true;
}

/** One step back out of whatever is on. */
function leave(viewer) {
  const { view } = viewer;
  if (viewer.lining) toggleLine(viewer);
  else if (view.pin) viewer.change({ pin: null });
  else if (viewer.layout() !== viewer.fit()) viewer.change({ layout: "fit" });
  else if (view.zoom[0] > 1) viewer.change({ zoom: [1, 0.5, 0.5] });
}
