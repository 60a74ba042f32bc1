/* The line profile: activations along a line across the picture. */

const CHART = { width: 200, height: 70, strip: 7 };

/** The pixels under a line from end to end, as indices into the picture: one for each pixel of its length. */
function pixelsAlong(picture, [x0, y0, x1, y1]) {
  const steps = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0)));
  const clamp = (value, whole) => Math.min(Math.max(Math.round(value), 0), whole - 1);
  return Int32Array.from({ length: steps + 1 }, (_, step) => {
    const x = clamp(x0 + ((x1 - x0) * step) / steps, picture.width);
    const y = clamp(y0 + ((y1 - y0) * step) / steps, picture.height);
    return y * picture.width + x;
  });
}

class Profile {
  constructor(viewer, pane) {
    Object.assign(this, { viewer, pane });
    this.chart = drawing("svg", {
      viewBox: `0 0 ${CHART.width} ${CHART.height + CHART.strip + 2}`, preserveAspectRatio: "none", role: "img",
      "aria-label": `Activations along the line in ${pane.title}`,
    });
    this.caption = element("p", { class: "caption" });
    this.root = element("div", { class: "profile" }, this.chart, this.caption);
    this.root.hidden = true;
  }

  show(line, classes) {
    this.root.hidden = !line;
    if (!line) return;
    const { viewer, pane } = this, { picture, view } = viewer, cut = thresholdOf(pane.method, view);
    const key = `${picture.id} ${line} ${classes} ${cut}`;
    if (this.key === key) return;
    this.key = key;
    const along = pixelsAlong(picture, line), { width, height, strip } = CHART;
    const across = (step) => ((step / (along.length - 1)) * width).toFixed(2);
    const up = (level) => (height - (level / 255) * height).toFixed(2);
    const parts = [drawing("path", { class: "axis", d: `M0 0V${height}H${width}` })];
    if (cut !== null) {
      const y = up(cut * 255);
      parts.push(drawing("line", { class: "cut", x1: 0, x2: width, y1: y, y2: y }));
    }
    const shown = pane.method.classes.filter((k) => !classes.length || classes.includes(k));
    for (const k of shown) {
      const plane = pane.activations(k);
      const points = Array.from(along, (pixel, step) => `${across(step)},${up(plane[pixel])}`).join(" ");
      parts.push(drawing("polyline", { points, stroke: colourText(picture.colours[k + 1]), "data-class": k }));
    }
    if (picture.truth) parts.push(...this.truthStrip(picture, along, across, height + 2, strip));
    this.chart.replaceChildren(...parts);
    say(this.caption, picture.truth ? "activations along the line, over its ground truth" : "activations along the line");
  }

  /** The ground truth below the curves, as runs of the classes' colours. */
  truthStrip(picture, along, across, y, height) {
    const parts = [];
    for (let begin = 0, step = 1; step <= along.length; step++) {
      if (step < along.length && picture.truth[along[step]] === picture.truth[along[begin]]) continue;
      const from = across(Math.max(0, begin - 0.5)), to = across(Math.min(along.length - 1, step - 0.5));
      const value = picture.truth[along[begin]];
      const run = drawing("rect", { x: from, y, width: Math.max(0, to - from), height, fill: colourText(picture.colours[value]) });
      run.append(drawing("title", {}, picture.names[value]));
      parts.push(run);
      begin = step;
    }
    return parts;
  }
}
