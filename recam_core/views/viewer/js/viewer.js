/* The viewer: one picture, one view, and the panes that draw them. A change asks for a frame; a frame draws once. */

/** Where the slider for all methods begins: at the threshold of the first that has one. */
function usualThreshold({ methods }) {
  return methods.find(({ threshold }) => threshold !== null)?.threshold ?? DEFAULT_VIEW.threshold;
}

/** Pixels of all canvases together: dense screens are met up to here, so that a frame stays a frame. */
const PIXEL_BUDGET = 2.4e6;
/** Below this width, in rem as in viewer.css, panes side by side would stand below each other. */
const NARROW = 36;

class Viewer {
  constructor(root) {
    this.root = root;
    this.view = { ...DEFAULT_VIEW };
    this.panes = [];
    this.photo = new PhotoInWindow();
    this.report = new Report();
    this.hover = this.hoverPane = this.drawnLine = null;
    this.lining = false;
    this.canStep = false;
    this.frameTimes = null;  // a benchmark puts a list here
    connectToolbar(this);
    this.closeGestures = connectGestures(this);
    this.closeKeyboard = connectKeyboard(this);
    this.observer = new ResizeObserver(() => {
      this.watchWidth();
      this.measure();
    });
    for (const watched of [root, root.querySelector(".grid")]) this.observer.observe(watched);
  }

  /** Takes what Python sent: bytes with a picture and the view to begin with. */
  async receive(bytes, ways) {
    this.report.connect(ways);
    const { header: { id, view, revision, can_step: canStep, presenting }, end } = readHeader(bytes, 0);
    this.canStep = canStep;
    this.root.classList.toggle("presenting", Boolean(presenting));
    this.watchWidth();
    if (this.wanted === `${id} ${revision}`) return;  // a run of the script that changed nothing here
    this.wanted = `${id} ${revision}`;
    const isNewView = this.revision !== revision, isNewPicture = this.picture?.id !== id;
    const picture = isNewPicture ? await readPicture(id, bytes, end) : this.picture;
    if (this.wanted !== `${id} ${revision}`) return;  // another picture came meanwhile
    this.revision = revision;
    this.stepping = false;
    if (isNewPicture) this.open(picture, !this.picture);
    if (isNewView) {
      this.view = checkedView(view, this.opened ? this.view : { ...DEFAULT_VIEW, threshold: usualThreshold(picture) });
      this.lining = this.view.line !== null;
      this.root.classList.toggle("lining", this.lining);
    }
    this.keepWithin();
    if (this.opened) {
      this.report.revision = revision;
      this.report.soon(() => this.view, () => this.announce());
    } else {
      this.report.knows(this.view, revision);
    }
    this.opened = true;
    this.draw();
    this.root.dataset.ready = id;
  }

  open(picture) {
    this.picture?.photo.close();
    const sameSize = this.picture && this.picture.width === picture.width && this.picture.height === picture.height;
    this.picture = picture;
    this.panes = picture.methods.map((method) => new Pane(this, method.key, method.title, method));
    for (const sheet of picture.sheets) {
      const after = this.panes.findIndex(({ key }) => key === sheet.after);
      this.panes.splice(after + 1, 0, new Pane(this, sheet.key, sheet.title, null, sheet));
    }
    if (picture.truth) this.panes.push(new Pane(this, "truth", "Ground truth", null));
    this.panes.push(new Pane(this, "photo", "Photo", null));
    this.hover = this.hoverPane = this.drawnLine = null;
    // A pixel, a line or a window of one picture means nothing on another of another size.
    if (!sameSize) Object.assign(this.view, { pin: null, line: this.lining ? this.view.line : null, zoom: [1, 0.5, 0.5] });
    this.arranged = this.legendKey = null;
    buildChips(this);
  }

  /** Pins and lines that come from a link may lie outside this picture. */
  keepWithin() {
    const { picture: { width, height }, view } = this;
    const inside = (x, y) => [Math.min(Math.max(Math.round(x), 0), width - 1), Math.min(Math.max(Math.round(y), 0), height - 1)];
    if (view.pin) view.pin = inside(...view.pin);
    if (view.line) view.line = [...inside(view.line[0], view.line[1]), ...inside(view.line[2], view.line[3])];
    if (!this.picture.colourMaps.includes(view.colours)) view.colours = this.picture.colourMaps[0];
    view.zoom = settled(view.zoom);
  }

  /** Changes fields of the view, draws at the next frame, and reports once it has rested. */
  change(fields) {
    this.view = { ...this.view, ...fields };
    this.ask();
    this.report.soon(() => this.view, () => this.announce());
  }

  ask() {
    if (this.asked || !this.picture) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      if (this.picture) this.draw();
    });
  }

  /** Draws all of the view: canvases, scores, probe, controls. */
  draw() {
    const begin = performance.now();
    arrange(this);
    const { picture, view } = this, classes = chosenClasses(picture, view), shown = this.shownPanes();
    if (!this.across) this.measure();
    const port = windowOf(picture, view.zoom, this.across, this.down);
    this.port = port;
    const reference = this.reference();
    for (const pane of shown) {
      pane.paint(port);
      pane.tell(reference, classes);
      pane.profile?.show(this.drawnLine ?? view.line, classes);
    }
    this.root.classList.toggle("zoomed", view.zoom[0] > 1);
    showToolbar(this);
    showLegend(this);
    this.drawPointer();
    this.frameTimes?.push(performance.now() - begin);
  }

  /** Only what follows the pointer. */
  drawPointer() {
    for (const pane of this.shownPanes()) drawOverMarks(pane, this, this.port);
    showProbe(this);
  }

  /** The size of the canvases in device pixels, from the room that they have. */
  measure() {
    if (!this.picture) return;
    const shown = this.shownPanes(), room = shown[0]?.frame.clientWidth;
    if (!room) return;
    const { width, height } = this.picture, upright = height / width;
    const affordable = Math.sqrt(PIXEL_BUDGET / (shown.length * room * room * upright));
    const density = Math.max(1, Math.min(window.devicePixelRatio || 1, affordable));
    const across = this.exact ? width : Math.max(1, Math.round(room * density));
    const down = this.exact ? height : Math.max(1, Math.round(room * density * upright));
    this.density = across / room;  // pixels of a canvas for one of the page
    if (across === this.across && down === this.down) return;
    this.across = across;
    this.down = down;
    this.ask();
  }

  /** For tests: canvases of exactly the picture's size, so that one of their pixels is one of the picture. */
  setExact(exact) {
    this.exact = exact;
    this.measure();
    this.draw();
  }

  /** Whether there is room for panes side by side. */
  watchWidth() {
    const width = this.root.clientWidth, rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    if (!width || this.narrow === width < NARROW * rem) return;
    this.narrow = width < NARROW * rem;
    this.ask();
  }

  /** How panes stand by themselves: side by side, or in a narrow window by the wipe. */
  fit() {
    return this.narrow && this.picture.methods.length > 1 ? "wipe" : "side";
  }

  /** How panes stand: side by side, unless there are two to be put on one place. */
  layout() {
    if (this.panes.length < 2) return "side";
    return this.view.layout === "fit" ? this.fit() : this.view.layout;
  }

  /** The layout after one was asked for once more, which leads back. */
  layoutToggled(layout) {
    if (this.layout() !== layout) return layout;
    return this.fit() === layout ? "side" : "fit";
  }

  sidePanes() {
    const { view } = this;
    const shown = this.panes.filter((pane) => (pane.isMap ? !view.hidden.includes(pane.key) : view.extra.includes(pane.key)));
    return shown.length ? shown : this.panes.slice(0, 1);
  }

  /** The two panes of a wipe or blink: the chosen ones, or the first and last method. */
  pair() {
    const byKey = (key) => this.panes.find((pane) => pane.key === key);
    const [one, two] = [byKey(this.view.pair[0]), byKey(this.view.pair[1])];
    if (one && two && one !== two) return [one, two];
    const methods = this.panes.filter((pane) => pane.method && !this.view.hidden.includes(pane.key));
    return methods.length > 1 ? [methods[0], methods[methods.length - 1]] : [this.panes[0], this.panes[1]];
  }

  /** The pane that the others are held against, whether or not it is shown. */
  reference() {
    return this.panes.find((pane) => pane.method === this.picture.methods[this.picture.reference]);
  }

  shownPanes() {
    return this.layout() === "side" ? this.sidePanes() : this.pair();
  }

  /** Methods that disagreements are told among: those that are chosen, however they stand. */
  comparedPanes() {
    const shown = this.panes.filter((pane) => pane.method && !this.view.hidden.includes(pane.key));
    const drawn = this.shownPanes().filter((pane) => pane.method && !shown.includes(pane));
    return [...shown, ...drawn];
  }

  isOff(kind) {
    return (code) => this.view.off.includes(`${kind}:${code}`);
  }

  colourWords() {
    this.words ??= new Map();
    const { colours } = this.view;
    if (!this.words.has(colours)) this.words.set(colours, colourWords(this.picture.colourTables[colours]));
    return this.words.get(colours);
  }

  patterns({ across }) {
    if (this.patternKey !== `${this.picture.id} ${across}`) {
      this.patternKey = `${this.picture.id} ${across}`;
      this.patternRows = patternRows(this.picture.patterns, across);
    }
    return this.patternRows;
  }

  moveThreshold(step) {
    const threshold = Math.min(Math.max(Math.round((this.view.threshold + step) * 100) / 100, 0), 1);
    this.change({ threshold, cut: "all" });
  }

  /** The pixel of the picture under a pointer. */
  pixelAt(frame, { clientX, clientY }) {
    const box = frame.getBoundingClientRect(), { columns, rows } = this.port;
    const place = (share, table) => table[Math.min(Math.max(Math.floor(share * table.length), 0), table.length - 1)];
    return [place((clientX - box.left) / box.width, columns), place((clientY - box.top) / box.height, rows)];
  }

  middlePixel() {
    const { columns, rows } = this.port;
    return [columns[columns.length >> 1], rows[rows.length >> 1]];
  }

  pointAt(pixel, pane) {
    if (String(pixel) === String(this.hover) && pane === this.hoverPane) return;
    this.hover = pixel;
    this.hoverPane = pane;
    if (this.pointing) return;
    this.pointing = true;
    requestAnimationFrame(() => {
      this.pointing = false;
      if (this.picture && this.port) this.drawPointer();
    });
  }

  drawLine(line) {
    this.drawnLine = line;
    this.ask();
  }

  keepLine() {
    const line = this.drawnLine;
    this.drawnLine = null;
    this.change({ line });
  }

  /** Another picture of the set; until it is there, further steps are not asked for. */
  step(direction) {
    if (this.stepping) return;
    this.stepping = true;
    setTimeout(() => { this.stepping = false; }, 4000);
    this.report.step(direction);
  }

  /** Tells a screen reader what has changed, once it has rested. */
  announce() {
    const { view, picture } = this, said = this.root.querySelector(".said");
    const classes = chosenClasses(picture, view);
    const scores = this.shownPanes().filter((pane) => pane.figures).map((pane) =>
      `${pane.title}: ${pane.takenWords(classes)}IoU ${percent(pane.scores(classes).iou)}`);
    say(said, [view.pin ? probeSentence(this) : "", scores.length ? `${scores.join(", ")}.` : ""].join(" ").trim());
  }

  fail(error) {
    const fault = this.root.querySelector(".fault");
    fault.hidden = false;
    fault.textContent = `The picture could not be shown (${error.message}). Reload the page; if that does not help, use a current browser.`;
  }

  close() {
    this.closeKeyboard();
    this.closeGestures();
    this.observer.disconnect();
    this.report.close();
    clearInterval(this.blinker);
    this.picture?.photo.close();
    this.picture = null;
  }
}
