/* The controls above the panes. */

/** Connects the controls once. */
function connectToolbar(viewer) {
  const { root } = viewer, all = (selector) => root.querySelectorAll(selector);
  for (const button of all("[data-overlay]")) {
    button.addEventListener("click", () => viewer.change({ overlay: button.dataset.overlay }));
  }
  for (const button of all("[data-layout]")) {
    button.addEventListener("click", () => viewer.change({ layout: button.dataset.layout }));
  }
  for (const input of all("input[data-field]")) {
    input.addEventListener("input", () => {
      const value = Number(input.value), { field } = input.dataset;
      viewer.change(field === "threshold" ? { threshold: value, cut: "all" } : { [field]: value });
    });
  }
  for (const select of all("select[data-field]")) {
    select.addEventListener("change", () => viewer.change({ [select.dataset.field]: select.value }));
  }
  for (const select of all("select[data-place]")) {
    select.addEventListener("change", () => viewer.change({ pair: pairWith(viewer, Number(select.dataset.place), select.value) }));
  }
  for (const button of all("[data-do]")) button.addEventListener("click", () => TOOLS[button.dataset.do](viewer));
  // After a click by pointer the keys are the viewer's again; by keyboard, the focus stays where it is.
  root.addEventListener("click", (event) => {
    if (event.detail && event.target.closest("button")) root.focus({ preventScroll: true });
  });
}

const TOOLS = {
  line: (viewer) => toggleLine(viewer),
  out: (viewer) => viewer.change({ zoom: zoomedAt(viewer.view.zoom, 1 / 1.5, 0.5, 0.5) }),
  in: (viewer) => viewer.change({ zoom: zoomedAt(viewer.view.zoom, 1.5, 0.5, 0.5) }),
  fit: (viewer) => viewer.change({ zoom: [1, 0.5, 0.5] }),
  before: (viewer) => viewer.step(-1),
  after: (viewer) => viewer.step(1),
  help: (viewer) => viewer.root.querySelector(".help").showModal(),
};

/** The pair with another pane in one place; what stood there moves to the other place if it would stand twice. */
function pairWith(viewer, place, key) {
  const pair = viewer.pair().map((pane) => pane.key), before = pair[place];
  if (pair[1 - place] === key) pair[1 - place] = before;
  pair[place] = key;
  return pair;
}

/** The class alone, or, when adding, beside the others; picking what is picked gives all of them. */
function pickClass(viewer, k, adding) {
  const chosen = chosenClasses(viewer.picture, viewer.view), has = chosen.includes(k);
  if (adding) viewer.change({ classes: has ? chosen.filter((other) => other !== k) : [...chosen, k] });
  else viewer.change({ classes: has && chosen.length === 1 ? [] : [k] });
}

/** Chips of classes and panes: made again for each picture. */
function buildChips(viewer) {
  const { picture, root } = viewer;
  const chip = (label, ...before) => element("button", { type: "button" }, ...before, element("span", {}, label));
  const everything = chip("all classes");
  everything.addEventListener("click", () => viewer.change({ classes: [] }));
  viewer.classChips = picture.present.map((k, place) => {
    const button = chip(picture.asked[k] ?? picture.names[k + 1], dot(picture.colours[k + 1]));
    button.title = `${place < 9 ? `Key ${place + 1}. ` : ""}With Shift: add it, or take it away.`;
    button.dataset.class = k;
    button.addEventListener("click", (event) => pickClass(viewer, k, event.shiftKey || event.ctrlKey || event.metaKey));
    return { k, button };
  });
  viewer.classChips.push({ k: null, button: everything });
  root.querySelector(".classes").replaceChildren(everything, ...viewer.classChips.slice(0, -1).map(({ button }) => button));
  viewer.paneChips = viewer.panes.map((pane) => {
    const button = chip(pane.title);
    button.title = "Show or hide this pane";
    button.addEventListener("click", () => togglePane(viewer, pane));
    return { pane, button };
  });
  root.querySelector(".shown").replaceChildren(...viewer.paneChips.map(({ button }) => button));
  for (const select of root.querySelectorAll("select[data-place]")) {
    select.replaceChildren(...viewer.panes.map((pane) => element("option", { value: pane.key }, pane.title)));
  }
  root.querySelector("select[data-field=colours]").replaceChildren(
    ...picture.colourMaps.map((name) => element("option", { value: name }, name)));
}

function togglePane(viewer, pane) {
  const { view } = viewer, field = pane.isMap ? "hidden" : "extra", listed = view[field];
  const isShown = viewer.sidePanes().includes(pane);
  if (isShown && viewer.sidePanes().length === 1) return;  // one always stays
  viewer.change({ [field]: listed.includes(pane.key) ? listed.filter((key) => key !== pane.key) : [...listed, pane.key] });
}

/** Sets the controls to what the view says. */
function showToolbar(viewer) {
  const { root, view, picture } = viewer, overlay = shownOverlay(picture, view), find = (selector) => root.querySelector(selector);
  const press = (button, on) => put(button, "aria-pressed", String(on));
  for (const button of root.querySelectorAll("[data-overlay]")) press(button, button.dataset.overlay === overlay);
  find("[data-overlay=errors]").disabled = !picture.hasTruth;
  const taken = find("[data-overlay=taken]"), why = whyNotTaken(picture);
  taken.disabled = why !== "";
  put(taken, "title", why ? `${why}.` : `What each method takes back of the errors of ${viewer.reference().title}, and what it loses (B)`);
  find("[data-overlay=disagreement]").disabled = picture.methods.length < 2;
  const layout = viewer.layout();
  for (const button of root.querySelectorAll("[data-layout]")) {
    press(button, button.dataset.layout === layout);
    button.disabled = button.dataset.layout !== "side" && viewer.panes.length < 2;
  }
  const slider = find("[data-field=threshold]");
  setRange(slider, view.threshold);
  slider.closest(".setting").classList.toggle("resting", view.cut !== "all");
  say(find(".threshold-value"), view.threshold.toFixed(2));
  setRange(find("[data-field=opacity]"), view.opacity);
  if (find("[data-field=cut]").value !== view.cut) find("[data-field=cut]").value = view.cut;
  const colours = find("[data-field=colours]");
  if (colours.value !== view.colours) colours.value = view.colours;
  colours.closest(".setting").hidden = !showsColours(viewer);
  const chosen = chosenClasses(picture, view);
  for (const { k, button } of viewer.classChips) press(button, k === null ? !chosen.length : chosen.includes(k));
  const shown = viewer.sidePanes();
  for (const { pane, button } of viewer.paneChips) press(button, shown.includes(pane));
  find(".shown").hidden = layout !== "side";
  find(".pair").hidden = layout === "side";
  if (layout !== "side") {
    const pair = viewer.pair();
    for (const select of root.querySelectorAll("select[data-place]")) {
      const { key } = pair[Number(select.dataset.place)];
      if (select.value !== key) select.value = key;
    }
  }
  press(find("[data-do=line]"), viewer.lining);
  find(".steps").hidden = !viewer.canStep;
  say(find(".factor"), `${view.zoom[0] < 10 ? Math.round(view.zoom[0] * 10) / 10 : Math.round(view.zoom[0])}×`);
}
