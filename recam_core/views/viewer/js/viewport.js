/* Which part of the picture is seen: one window for all panes, so that they stay locked together. */

/** The window at this zoom on canvases of `across` x `down` pixels; it never leaves the picture. */
function windowOf(picture, [zoom, centreX, centreY], across, down) {
  const scale = (across / picture.width) * zoom;
  const seenX = across / scale, seenY = down / scale;
  const within = (centre, whole, seen) => Math.min(Math.max(centre * whole - seen / 2, 0), Math.max(whole - seen, 0));
  const left = within(centreX, picture.width, seenX), top = within(centreY, picture.height, seenY);
  const lookUp = (first, count, whole) => {
    const table = new Int32Array(count);
    for (let i = 0; i < count; i++) table[i] = Math.min(Math.max(Math.floor(first + (i + 0.5) / scale), 0), whole - 1);
    return table;
  };
  return {
    key: `${picture.id} ${across} ${down} ${scale} ${left} ${top}`,
    across, down, scale, left, top, seenX, seenY,
    columns: lookUp(left, across, picture.width),   // the picture's column under each column of the canvas
    rows: lookUp(top, down, picture.height),
  };
}

/** The zoom after moving by `factor` while the point at these shares of the window stays where it is. */
function zoomedAt(zoom, factor, shareX, shareY) {
  const before = zoom[0], after = Math.min(Math.max(before * factor, 1), LARGEST_ZOOM);
  const keep = (centre, share) => centre + (share - 0.5) * (1 / before - 1 / after);
  return settled([after, keep(zoom[1], shareX), keep(zoom[2], shareY)]);
}

/** The zoom after dragging the picture by shares of the window. */
function pannedBy(zoom, shareX, shareY) {
  return settled([zoom[0], zoom[1] - shareX / zoom[0], zoom[2] - shareY / zoom[0]]);
}

/** With its centre where the window does not leave the picture. */
function settled([zoom, x, y]) {
  const half = 0.5 / zoom, within = (centre) => Math.min(Math.max(centre, half), 1 - half);
  return [zoom, within(x), within(y)];
}
