/* Lines and points over the panes: the linked cursor, the pin and the drawn line. They never touch the canvases. */

/** Draws them on one pane, in pixels of the canvas. */
function drawOverMarks(pane, viewer, port) {
  const { over } = pane, { view, hover } = viewer;
  const shown = hover && viewer.hoverPane !== pane ? hover : null;
  const key = `${port.key} ${viewer.density} ${viewer.drawnLine ?? view.line} ${view.pin} ${shown}`;
  if (pane.overKey === key) return;
  pane.overKey = key;
  put(over, "viewBox", `0 0 ${port.across} ${port.down}`);
  const place = ([x, y]) => [(x - port.left) * port.scale, (y - port.top) * port.scale];
  const unit = viewer.density, parts = [];
  const twice = (tag, attributes) => {
    for (const [name, width] of [["halo", 3.4], ["mark", 1.5]]) {
      parts.push(drawing(tag, { ...attributes, class: name, style: `stroke-width:${width * unit}` }));
    }
  };
  const line = viewer.drawnLine ?? view.line;
  if (line) {
    const [x0, y0] = place([line[0] + 0.5, line[1] + 0.5]), [x1, y1] = place([line[2] + 0.5, line[3] + 0.5]);
    twice("line", { x1: x0, y1: y0, x2: x1, y2: y1 });
    twice("circle", { cx: x0, cy: y0, r: 3.5 * unit });
  }
  if (view.pin) {
    const [x, y] = place([view.pin[0] + 0.5, view.pin[1] + 0.5]);
    twice("circle", { cx: x, cy: y, r: 6 * unit });
    twice("path", { d: `M${x - 11 * unit} ${y}h${8 * unit}m${6 * unit} 0h${8 * unit}M${x} ${y - 11 * unit}v${8 * unit}m0 ${6 * unit}v${8 * unit}` });
  }
  if (shown) {
    const [x, y] = place([shown[0] + 0.5, shown[1] + 0.5]), arm = 7 * unit;
    twice("path", { d: `M${x - arm} ${y}h${2 * arm}M${x} ${y - arm}v${2 * arm}` });
  }
  over.replaceChildren(...parts);
}
