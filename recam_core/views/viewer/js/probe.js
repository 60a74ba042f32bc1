/* The probe: what every pane says about one pixel. */

/** More rows than this would push the page about; the strongest are kept. */
const MOST_BARS = 8;

/** An activation as people read it: a share of the map's maximum, or a probability where the method gives those. */
function activationText(method, level) {
  return method.logOdds === null ? (level / 255).toFixed(2) : percentOf(level / 255, method.logOdds);
}

/** The probability that an activation (0..1) stands for, in per cent, with as many nines as it has. */
function percentOf(activation, logOdds) {
  const rest = 1 / (1 + Math.exp((2 * activation - 1) * logOdds)), digits = rest < 0.1 ? Math.ceil(-Math.log10(rest)) - 2 : 0;
  return `${(100 * (1 - rest)).toFixed(Math.max(digits, 0))} %`;
}

class ProbeBars {
  constructor(viewer, pane) {
    Object.assign(this, { viewer, pane });
    this.answer = element("div", { class: "answer" });
    this.root = element("div", { class: "probe", "aria-hidden": "true" }, this.answer);
    this.rows = [];
    const { classes } = pane.method;
    for (let i = 0; i < Math.min(classes.length, MOST_BARS); i++) {
      const name = element("span", { class: "name" }), fill = element("i", { class: "fill" });
      const tick = element("i", { class: "tick" }), value = element("span", { class: "value" });
      const row = element("div", { class: "bar-row" }, name, element("span", { class: "track" }, fill, tick), value);
      this.rows.push({ row, name, fill, tick, value });
      this.root.append(row);
    }
  }

  /** Which classes have a row: those that are looked at first, then by their activation. */
  order(pixel) {
    const { viewer, pane } = this, { picture } = viewer, { classes } = pane.method;
    if (classes.length <= MOST_BARS || pixel === null) return classes.slice(0, MOST_BARS);
    const chosen = chosenClasses(picture, viewer.view);
    const strength = (k) => pane.activations(k)[pixel] + (chosen.includes(k) ? 256 : 0);
    return [...classes].sort((one, two) => strength(two) - strength(one)).slice(0, MOST_BARS);
  }

  /** `pixel` is an index into the picture, or null. */
  show(pixel) {
    const { viewer, pane } = this, { picture, view } = viewer, { method } = pane;
    const cut = thresholdOf(method, view), order = this.order(pixel);
    const seed = pixel === null ? null : method.level[pixel] > thresholdLevel(cut) ? method.winner[pixel] : 0;
    say(this.answer, pixel === null ? " " : `says ${picture.names[seed]}${pane.verdict(pixel)}`);
    this.rows.forEach(({ row, name, fill, tick, value }, place) => {
      const k = order[place], level = pixel === null ? 0 : pane.activations(k)[pixel];
      say(name, picture.names[k + 1]);
      fill.style.background = colourText(picture.colours[k + 1]);
      fill.style.clipPath = `inset(0 ${100 - (100 * level) / 255}% 0 0 round 99px)`;
      say(value, pixel === null ? "" : activationText(method, level));
      row.classList.toggle("wins", pixel !== null && seed === k + 1);
      tick.hidden = cut === null;
      if (cut !== null) tick.style.left = `${100 * cut}%`;
    });
  }

  /** The same as a sentence. */
  sentence(pixel) {
    const { viewer, pane } = this, { picture } = viewer;
    const parts = this.order(pixel).map((k) =>
      `${picture.names[k + 1]} ${activationText(pane.method, pane.activations(k)[pixel])}`);
    return `${pane.title} ${this.answer.textContent}: ${parts.join(", ")}.`;
  }
}

/** Fills the probe of every pane, and the line that tells place and ground truth. */
function showProbe(viewer) {
  const { picture, view } = viewer, at = view.pin ?? viewer.hover;
  const pixel = at === null ? null : at[1] * picture.width + at[0];
  if (at !== null) viewer.root.classList.add("pointed");  // the probes take no room before, and keep it from now on
  for (const pane of viewer.panes) pane.bars?.show(pixel);
  const place = viewer.root.querySelector(".place");
  place.replaceChildren();
  if (at === null) {
    place.textContent = "Point at a pixel to see what each method finds there; a click pins it.";
    return;
  }
  place.append(view.pin ? "Pinned at column " : "Column ", element("b", {}, String(at[0])), ", row ", element("b", {}, String(at[1])));
  if (picture.truth) place.append(" · ground truth: ", element("b", {}, picture.names[picture.truth[pixel]] || "unknown"));
}

/** What the probe shows, for screen readers. */
function probeSentence(viewer) {
  const { picture, view: { pin } } = viewer, pixel = pin[1] * picture.width + pin[0];
  const truth = picture.truth ? `, ground truth ${picture.names[picture.truth[pixel]]}` : "";
  const bars = viewer.panes.filter((pane) => pane.bars && !pane.figure.hidden).map((pane) => pane.bars.sentence(pixel));
  return `Column ${pin[0]}, row ${pin[1]}${truth}. ${bars.join(" ")}`;
}
