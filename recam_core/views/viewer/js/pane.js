/* A pane: its title, its picture, and the parts below it. */

const FIGURES = [
  ["iou", "IoU", true, "Intersection over union: right pixels / (right + falsely claimed + lost)."],
  ["precision", "Precision", true, "Of the pixels that the method claims, the share that is right."],
  ["recall", "Recall", true, "Of the pixels of the ground truth, the share that the method finds."],
  ["wrong_class", "Wrong class", false, "Of the pixels of the ground truth, the share given to another class."],
];

const OVERLAY_WORDS = { taken: "taken back" };

class Pane {
  /** `method` is one of the picture's, or null for the panes "truth" and "photo" and that of one of its `sheet`s. */
  constructor(viewer, key, title, method, sheet = null) {
    Object.assign(this, { viewer, key, title, method, sheet });
    this.about = element("span", { class: "about" });
    this.head = element("figcaption", { class: "pane-head" }, element("strong", {}, title), this.about);
    this.canvas = element("canvas");
    this.over = drawing("svg", { "aria-hidden": "true" });
    this.frame = element("div", { class: "frame", tabindex: "0", role: "img" }, this.canvas, this.over);
    this.figure = element("figure", { class: "pane", "data-pane": key }, this.head, this.frame);
    this.frame.pane = this;
    if (sheet) put(this.head, "title", sheet.about);
    if (!method) return;
    this.own = element("input", { type: "range", min: "0", max: "1", step: "0.01", "aria-label": `Threshold of ${title}` });
    this.own.addEventListener("input", () => viewer.change({
      thresholds: { ...viewer.view.thresholds, [key]: Number(this.own.value) },
    }));
    this.head.append(this.own);
    if (viewer.picture.hasTruth) this.figure.append(this.scoreList());
    this.bars = new ProbeBars(viewer, this);
    this.profile = new Profile(viewer, this);
    this.figure.append(this.bars.root, this.profile.root);
  }

  scoreList() {
    this.figures = FIGURES.map(([name, label, moreIsBetter, meaning]) => {
      const term = element("dt", { title: meaning }), value = element("span", { class: "figure" });
      const change = element("span", { class: "change" });
      return { name, label, moreIsBetter, meaning, term, value, change };
    });
    return element("dl", { class: "scores" }, ...this.figures.map(({ term, value, change }) =>
      element("div", {}, term, element("dd", {}, value, change))));
  }

  get picture() { return this.viewer.picture; }

  /** Whether it shows a map, and is there unless it was hidden; ground truth and photo are there when asked for. */
  get isMap() { return this.method !== null || this.sheet !== null; }

  /** height x width activations of class `k`, or null where the method has none. */
  activations(k) { return planeOf(this.picture, this.method, k); }

  /** What is drawn depends on these; each part is made again only when its part of the view has changed. */
  kept(name, key, make) {
    this.store ??= {};
    if (this.store[name]?.key !== key) this.store[name] = { key, value: make() };
    return this.store[name].value;
  }

  /** The seed values of every pixel, cut at the threshold of now, of the chosen classes only. */
  seeds(classes) {
    const { viewer, method } = this, cut = thresholdLevel(thresholdOf(method, viewer.view));
    return this.kept("seeds", `${classes} ${cut}`, () => this.cutPair("seeds", classes, cut));
  }

  cutPair(overlay, classes, cut) {
    const { method, picture } = this;
    const pair = this.kept(`pair ${overlay}`, `${classes}`, () => codePair(picture, method, overlay, classes));
    const codes = (this.store[`codes ${overlay}`] ??= new Uint8Array(method.level.length));
    cutCodes(codes, pair, method.level, cut);
    return codes;
  }

  /** The error codes of every pixel, cut at the threshold of now. */
  errors(classes) {
    const cut = thresholdLevel(thresholdOf(this.method, this.viewer.view));
    return this.kept("errors", `${classes} ${cut}`, () => this.cutPair("errors", classes, cut));
  }

  /** How every pixel stands to the reference: `codes`, and the pixels of each pair of error codes (takenCodes). */
  taken(classes) {
    const { viewer, picture } = this, reference = viewer.reference();
    const cuts = [reference, this].map(({ method }) => thresholdLevel(thresholdOf(method, viewer.view)));
    return this.kept("taken", `${classes} ${cuts}`, () => {
      const codes = (this.takenBuffer ??= new Uint8Array(this.method.level.length));
      return { codes, counts: takenCodes(codes, reference.errors(classes), this.errors(classes), picture.hasBackground) };
    });
  }

  /** Pixels and words of what stands below the pane in that overlay: [label, pixels, meaning], three of them. */
  takenFigures(classes) {
    const { picture, viewer } = this, { counts } = this.taken(classes), reference = viewer.reference();
    const wrong = (code) => isWrong(code, picture.hasBackground), told = (pixels) => pixels.toLocaleString("en");
    const sum = (holds) => counts.reduce((all, pixels, pair) => all + (holds(pair >> 3, pair & 7) ? pixels : 0), 0);
    if (this === reference) {
      const confused = sum((code) => code === FALSE_ON_CLASS || code === LOST_TO_CLASS);
      const all = sum((code) => wrong(code)), ground = picture.names[0];
      return [
        ["Wrong", all, `Of the pixels that count, the share that ${this.title} has wrong.`],
        ["Wrong class", confused, "Given to a wrong class."],
        [ground[0].toUpperCase() + ground.slice(1), all - confused, picture.hasBackground
          ? "Claimed from the background, or left to it." : "Left unlabelled."],
      ];
    }
    const back = sum((was, now) => wrong(was) && !wrong(now)), both = sum((was, now) => wrong(was) && wrong(now));
    const kinds = [[FALSE_ON_BACKGROUND, FALSE_ON_BACKGROUND, "false on background"], [FALSE_ON_CLASS, LOST_TO_CLASS, "wrong class"],
      [LOST_TO_BACKGROUND, LOST_TO_BACKGROUND, picture.hasBackground ? "lost to background" : "left unlabelled"]];
    const split = (pick) => kinds.map(([one, two, name]) => [name, sum((was, now) => {
      const [code, other] = pick(was, now);
      return (code === one || code === two) && wrong(code) && !wrong(other);
    })]).filter(([, pixels]) => pixels).map(([name, pixels]) => `${name} ${told(pixels)}`).join(", ");
    const lost = sum((was, now) => !wrong(was) && wrong(now));
    const parts = (words) => (words ? `: ${words}` : "");
    return [
      ["Taken back", back, `Pixels that ${reference.title} has wrong and ${this.title} right${parts(split((was, now) => [was, now]))}. ` +
        (back + both ? `That is ${percent(back / (back + both))} of what ${reference.title} has wrong.` : "")],
      ["Lost", lost, `Pixels that ${reference.title} has right and ${this.title} wrong${parts(split((was, now) => [now, was]))}.`],
      ["Both wrong", both, `Pixels that neither ${reference.title} nor ${this.title} has right.`],
    ];
  }

  /** The same as words, where that overlay is shown. */
  takenWords(classes) {
    const { picture, viewer } = this;
    if (shownOverlay(picture, viewer.view) !== "taken") return "";
    return this.takenFigures(classes).map(([label, pixels]) =>
      `${label.toLowerCase()} ${percent(ratio(pixels, scoredPixels(picture)))}, `).join("");
  }

  /** What that overlay says of one pixel, for the probe. */
  verdict(pixel) {
    const { picture, viewer } = this, { view } = viewer;
    if (pixel === null || shownOverlay(picture, view) !== "taken") return "";
    const classes = chosenClasses(picture, view), code = this.codes("taken", classes)[pixel];
    const marks = this === viewer.reference() ? wrongMarks(picture, classes) : legendMarks(picture, "taken", classes);
    const mark = marks.find((each) => each.code === code);
    return mark ? `: ${mark.name}` : "";
  }

  /** height x width codes of the overlay that is shown: seed values, errors, disagreements, or what is taken back. */
  codes(overlay, classes) {
    const { viewer, method } = this;
    if (overlay === "seeds") return this.seeds(classes);
    if (overlay === "errors" || (overlay === "taken" && this === viewer.reference())) return this.errors(classes);
    if (overlay === "taken") return this.taken(classes).codes;
    const panes = viewer.comparedPanes();
    this.compared ??= new Uint8Array(method.level.length);
    disagreementCodes(this.compared, panes.map((pane) => pane.seeds(classes)), panes.indexOf(this));
    return this.compared;
  }

  /** Draws the picture part into the canvas. */
  paint(port) {
    const { viewer, picture, canvas } = this, { view, photo } = viewer;
    if (!this.image || this.image.width !== port.across || this.image.height !== port.down) {
      canvas.width = port.across;
      canvas.height = port.down;
      this.context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
      this.image = this.context.createImageData(port.across, port.down);
      this.out = new Int32Array(this.image.data.buffer);
    }
    this.paintInto(this.out, port, view, photo, picture);
    this.context.putImageData(this.image, 0, 0);
  }

  paintInto(out, port, view, photo, picture) {
    const { viewer, method } = this, overlay = shownOverlay(picture, view), classes = chosenClasses(picture, view);
    if (overlay === "heat" || overlay === "contour") this.paintedKey = null;  // the canvas will hold no codes
    if (this.key === "photo") {
      out.set(photo.pixels(picture, port));
    } else if (this.sheet) {
      const levels = this.kept("levels", port.key, () => levelsInWindow(this.sheetLevels(), picture, port));
      paintHeat(out, photo.pixels(picture, port), levels, viewer.colourWords(), view.opacity * picture.filled);
    } else if (this.key === "truth" || overlay === "seeds") {
      const opacity = view.opacity * picture.filled;
      const codes = method ? this.codes(overlay, classes) : this.truth(classes);
      const ground = photo.quiet(picture, port, 0.5, 0.35 * opacity);
      this.paintCodes(out, ground, codes, port, `seeds ${opacity} ${view.off}`, () =>
        seedStyle(picture, viewer.isOff("seeds"), opacity));
    } else if (overlay === "heat" || overlay === "contour") {
      const colours = viewer.colourWords();
      const levels = this.kept("levels", `${classes} ${port.key}`, () =>
        levelsInWindow(levelsOf(picture, method, classes), picture, port));
      if (overlay === "heat") {
        paintHeat(out, photo.pixels(picture, port), levels, colours, view.opacity * picture.filled);
      } else {
        const around = this.kept("around", `${classes} ${port.key}`, () => neighbourhood(levels, port));
        const quieter = [1 - 0.6 * view.opacity, 0.5 * view.opacity];
        const grounds = [photo.pixels(picture, port), photo.quiet(picture, port, ...quieter)];
        const lined = this.kept("lined", `${classes} ${port.key} ${view.colours} ${view.opacity}`, () =>
          grounds.map((ground) => withLines(ground, around, colours, picture.contour, view.opacity)));
        const cut = thresholdLevel(thresholdOf(method, view));
        paintContour(out, grounds, lined, around, picture.contour, cut, view.opacity);
      }
    } else {
      const ground = photo.quiet(picture, port, 1 - 0.75 * view.opacity, 0.4 * view.opacity);
      const isReference = overlay === "taken" && this === viewer.reference();
      this.paintCodes(out, ground, this.codes(overlay, classes), port, `${overlay} ${classes} ${view.opacity} ${view.off}`, () =>
        markStyle(picture, isReference ? wrongMarks(picture, classes) : legendMarks(picture, overlay, classes),
          viewer.isOff(isReference ? "errors" : overlay), view.opacity));
    }
  }

  /** Draws codes; where only the codes have changed since the last time, only around those. */
  paintCodes(out, ground, codes, port, look, makeStyle) {
    const { picture, viewer } = this, patterns = viewer.patterns(port);
    const style = this.kept("style", look, makeStyle), key = `${port.key} ${look}`;
    if (this.paintedKey === key && this.paintedGround === ground && this.paintedOut === out &&
      repaintCodes(out, ground, codes, this.painted, picture.width, port, style, patterns)) return;
    paintCodes(out, ground, codes, picture.width, port, style, patterns);
    Object.assign(this, { paintedKey: key, paintedGround: ground, paintedOut: out });
    this.painted ??= new Uint8Array(codes.length);
    this.painted.set(codes);
  }

  /** height x width levels of the pane's sheet. */
  sheetLevels() {
    const { picture, sheet } = this;
    return this.kept("sheet", picture.id, () => enlargeGrid(sheet.grid, picture.height, picture.width));
  }

  /** The ground truth with only the chosen classes, and void. */
  truth(classes) {
    const { picture } = this;
    return this.kept("truth", `${classes}`, () => {
      const shown = shownSeeds(classes);
      return picture.truth.map((value) => shown[value]);
    });
  }

  /** Scores at the threshold of now. */
  scores(classes) {
    const { viewer, picture, method } = this;
    const counts = this.kept("counts", picture.id, () => countPixels(picture, method));
    return scoresAt(counts, thresholdLevel(thresholdOf(method, viewer.view)), classes, picture.hasBackground);
  }

  /** Title, threshold and scores. */
  tell(reference, classes) {
    const { viewer, method, picture } = this, { view } = viewer, overlay = shownOverlay(picture, view);
    const about = classes.length ? classes.map((k) => picture.names[k + 1]).join(", ") : "all present classes";
    put(this.frame, "aria-label", `${this.title}: ${this.sheet ? this.sheet.about : this.key === "photo" ? "the photo" : `${
      this.key === "truth" ? "ground truth" : overlay === "taken" && this === reference ? "errors" : OVERLAY_WORDS[overlay] ?? overlay
    } of ${about}`}`);
    if (!method) return;
    const threshold = thresholdOf(method, view);
    say(this.about, threshold === null ? "arg-max" : threshold.toFixed(2));
    put(this.about, "title", [method.about, threshold === null ? "every pixel to its arg-max class"
      : `background threshold ${threshold.toFixed(2)}${
        method.logOdds ? `: a probability of ${percentOf(threshold, method.logOdds)}` : ""}`].filter(Boolean).join(" · "));
    this.own.hidden = view.cut !== "own" || method.threshold === null;
    if (threshold !== null) setRange(this.own, threshold);
    if (!this.figures) return;
    const scores = this.scores(classes), base = this === reference ? null : reference?.scores(classes);
    const taken = overlay === "taken" ? this.takenFigures(classes) : [];
    for (const { name, label, moreIsBetter, meaning, term, value, change } of this.figures) {
      const figure = name === "iou" ? null : taken[["precision", "recall", "wrong_class"].indexOf(name)];
      if (figure) {
        const [words, pixels, means] = figure;
        say(term, words);
        put(term, "title", means);
        say(value, percent(ratio(pixels, scoredPixels(picture))));
        say(change, `${pixels.toLocaleString("en")} px`);
        change.className = "change";
        continue;
      }
      put(term, "title", meaning);
      say(term, classes.length === 1 || name === "wrong_class" ? label : `m${label}`);
      say(value, percent(scores[name]));
      const gain = base ? 100 * (scores[name] - base[name]) : NaN, told = Math.abs(gain) < 0.05 ? 0 : gain;
      say(change, Number.isNaN(gain) ? (this === reference && name === "iou" ? "reference" : "") : told === 0 ? "±0.0" : `${told > 0 ? "+" : "−"}${Math.abs(told).toFixed(1)}`);
      change.className = told && !Number.isNaN(gain) ? `change ${(told > 0) === moreIsBetter ? "better" : "worse"}` : "change";
    }
  }
}

const percent = (share) => (Number.isNaN(share) ? "–" : `${(100 * share).toFixed(1)}%`);
