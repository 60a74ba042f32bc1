/* The legend: what colours mean; each entry can be switched off. */

/** The marks of an overlay that draws kinds of pixels. */
function legendMarks(picture, overlay, classes) {
  if (overlay === "disagreement" || overlay === "taken") return picture.marks[overlay];
  return classes.length === 1 ? picture.marks.class_errors : picture.marks.errors;
}

/** Those of wrong pixels, which are what the reference shows where others are held against it. */
function wrongMarks(picture, classes) {
  return legendMarks(picture, "errors", classes).filter(({ code }) => isWrong(code, true));
}

/** Builds the legend of the overlay that is shown. */
function showLegend(viewer) {
  const { picture, view, root } = viewer, legend = root.querySelector(".legend");
  const overlay = shownOverlay(picture, view), classes = chosenClasses(picture, view);
  const key = `${picture.id} ${overlay} ${classes.length} ${view.colours} ${view.off} ${viewer.shownPanes().map((pane) => pane.key)}`;
  if (viewer.legendKey === key) return;
  viewer.legendKey = key;
  const parts = [];
  const marks = (kind, shown) => {
    for (const mark of shown) {
      const sample = element("img", { src: mark.swatch, alt: `${mark.pattern} pattern` });
      parts.push(legendEntry(viewer, kind, mark.code, mark.name, mark.meaning, sample));
    }
  };
  if (overlay === "errors" || overlay === "disagreement" || overlay === "taken") {
    marks(overlay, legendMarks(picture, overlay, classes));
  }
  if (overlay === "taken") {
    const reference = viewer.reference();
    if (viewer.shownPanes().includes(reference)) {
      parts.push(element("span", { class: "whose" }, `errors of ${reference.title}:`));
      marks("errors", wrongMarks(picture, classes));
    }
  }
  if (showsColours(viewer)) parts.push(colourScale(viewer));
  if (overlay === "seeds" || viewer.shownPanes().some((pane) => pane.key === "truth")) {
    for (const { value, name, colour } of picture.values) {
      if (value === 0) continue;
      parts.push(legendEntry(viewer, "seeds", value, name, value === VOID
        ? "The ground truth leaves these pixels out." : `Pixels given to ${name}.`, dot(colour)));
    }
  }
  // The entry that was pressed keeps the focus, though all are made again.
  const focused = root.getRootNode().activeElement?.dataset?.entry;
  legend.replaceChildren(...parts);
  if (focused) parts.find((part) => part.dataset.entry === focused)?.focus({ preventScroll: true });
}

function legendEntry(viewer, kind, code, name, meaning, sample) {
  const entry = `${kind}:${code}`, isOff = viewer.view.off.includes(entry);
  const button = element("button", { type: "button", title: meaning, "aria-pressed": String(!isOff), "data-entry": entry },
    sample, element("span", {}, name));
  button.addEventListener("click", () => {
    const { off } = viewer.view;
    viewer.change({ off: off.includes(entry) ? off.filter((other) => other !== entry) : [...off, entry] });
  });
  return button;
}

/** Whether the colours of a colour map are on the screen. */
function showsColours(viewer) {
  const overlay = shownOverlay(viewer.picture, viewer.view);
  return overlay === "heat" || overlay === "contour" || viewer.shownPanes().some((pane) => pane.sheet);
}

function colourScale(viewer) {
  const canvas = element("canvas", { width: "256", height: "1", role: "img", "aria-label": `Colours of ${viewer.view.colours}` });
  const context = canvas.getContext("2d"), image = context.createImageData(256, 1);
  new Int32Array(image.data.buffer).set(viewer.colourWords());
  context.putImageData(image, 0, 0);
  const odds = viewer.shownPanes().find((pane) => pane.method?.logOdds)?.method.logOdds;
  const words = odds ? `1: the maximum of the map; of probabilities, log-odds from -${odds} to ${odds}` : "1: the maximum of the map";
  return element("span", { class: "scale" }, "0", canvas, words);
}
