/* The view: what the hand has set. It outlives a change of picture, and goes to Python when it has come to rest. */

const OVERLAYS = ["errors", "taken", "heat", "contour", "seeds", "disagreement"];
const LAYOUTS = ["fit", "side", "wipe", "blink"];
const CUTS = ["own", "all", "none"];
const LARGEST_ZOOM = 32;

const DEFAULT_VIEW = {
  overlay: "errors",     // one of OVERLAYS
  classes: [],           // class indices; empty means all
  cut: "own",            // each method's own threshold, one for all, or none: every pixel to its arg-max class
  threshold: 0.25,       // the one for all
  thresholds: {},        // by a pane's key: own thresholds that the hand has moved
  opacity: 0.8,
  colours: "viridis",
  layout: "fit",         // one of LAYOUTS; fit: side by side, in a narrow window the wipe
  hidden: [],            // keys of panes of methods and sheets that are not shown
  extra: [],             // "truth" and "photo", where they are shown beside the methods
  pair: [],              // keys of the two panes that are wiped or blinked between
  wipe: 0.5,             // where the line of the wipe stands
  off: [],               // legend entries that are switched off, as "kind:code"
  zoom: [1, 0.5, 0.5],   // factor, and the centre in shares of the picture
  pin: null,             // [x, y]: the pixel that the probe is pinned to
  line: null,            // [x0, y0, x1, y1] in pixels
};

const isShare = (value) => typeof value === "number" && value >= 0 && value <= 1;
const isTexts = (value) => Array.isArray(value) && value.every((item) => typeof item === "string");
const isNumbers = (value, count) =>
  Array.isArray(value) && (count === undefined || value.length === count) && value.every(Number.isFinite);

/** What each field may be; anything else is ignored, since views come from links. */
const VIEW_CHECKS = {
  overlay: (value) => OVERLAYS.includes(value),
  classes: (value) => isNumbers(value),
  cut: (value) => CUTS.includes(value),
  threshold: isShare,
  thresholds: (value) => value !== null && typeof value === "object" && Object.values(value).every(isShare),
  opacity: isShare,
  colours: (value) => typeof value === "string",
  layout: (value) => LAYOUTS.includes(value),
  hidden: isTexts,
  extra: isTexts,
  pair: isTexts,
  wipe: isShare,
  off: isTexts,
  zoom: (value) => isNumbers(value, 3) && value[0] >= 1 && value[0] <= LARGEST_ZOOM,
  pin: (value) => value === null || isNumbers(value, 2),
  line: (value) => value === null || isNumbers(value, 4),
};

/** Every field of `view` that holds what it may, over the fields of `base`. */
function checkedView(view, base) {
  const checked = { ...base };
  for (const [name, isValid] of Object.entries(VIEW_CHECKS)) {
    if (view && name in view && isValid(view[name])) checked[name] = view[name];
  }
  return checked;
}

/** The classes that are looked at, among those of this picture: empty means all. */
function chosenClasses(picture, view) {
  return picture.present.filter((k) => view.classes.includes(k));
}

/** Why a method cannot be held against the reference, or "" where it can. */
function whyNotTaken(picture) {
  if (!picture.hasTruth) return "Without ground truth nobody knows which pixels are wrong";
  return picture.methods.length > 1 ? "" : "A second method is needed, to be held against the first: choose one above";
}

/** The overlay that can be shown: without ground truth there are no errors, and one method disagrees with none. */
function shownOverlay(picture, view) {
  const several = picture.methods.length > 1;
  if (view.overlay === "taken" && whyNotTaken(picture)) return picture.hasTruth ? "errors" : several ? "disagreement" : "seeds";
  if (view.overlay === "errors" && !picture.hasTruth) return several ? "disagreement" : "seeds";
  if (view.overlay === "disagreement" && !several) return picture.hasTruth ? "errors" : "seeds";
  return view.overlay;
}

/** The background threshold of a method's seeds; null gives every pixel to its arg-max class. */
function thresholdOf(method, view) {
  if (view.cut === "none") return null;
  if (view.cut === "all") return view.threshold;
  return view.thresholds[method.key] ?? method.threshold;
}

/** The level that pixels must exceed to be claimed; -1 claims them all. */
function thresholdLevel(threshold) {
  return threshold === null ? -1 : roundHalfEven(threshold * 255);
}
