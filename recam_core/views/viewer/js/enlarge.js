/* Activations from the grid that they are stored on to the pixels of the picture. */

/** Cells of the grid: pixels of the picture for each of them (GRID_STRIDE in recam_core/maps/activation_maps.py). */
const GRID_STRIDE = 4;

function neighbours(cells, pixels) {
  const before = new Int32Array(pixels), after = new Int32Array(pixels), share = new Float32Array(pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const centre = Math.min(Math.max((pixel + 0.5) * (cells / pixels) - 0.5, 0), cells - 1);
    before[pixel] = Math.floor(centre);
    after[pixel] = Math.min(before[pixel] + 1, cells - 1);
    share[pixel] = centre - before[pixel];
  }
  return { before, after, share };
}

/** To the nearest whole number, halves to the even one, as numpy and Python do. */
function roundHalfEven(value) {
  const floor = Math.floor(value), rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/**
 * height x width bytes from a grid, by the arithmetic of full_size: single precision at every step, rows after columns.
 */
function enlargeGrid(grid, height, width) {
  const f = Math.fround;
  const rows = Math.ceil(height / GRID_STRIDE), columns = Math.ceil(width / GRID_STRIDE);
  const across = neighbours(columns, width), down = neighbours(rows, height);
  const stretched = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let x = 0; x < width; x++) {
      const left = grid[row * columns + across.before[x]], right = grid[row * columns + across.after[x]];
      stretched[row * width + x] = f(left + f((right - left) * across.share[x]));
    }
  }
  const plane = new Uint8Array(height * width);
  for (let y = 0; y < height; y++) {
    const above = down.before[y] * width, below = down.after[y] * width, share = down.share[y];
    for (let x = 0; x < width; x++) {
      const start = stretched[above + x];
      plane[y * width + x] = roundHalfEven(f(f(f(stretched[below + x] - start) * share) + start));
    }
  }
  return plane;
}

/** The activations of class `k` in a method's pane, or null where it has none; enlarged when first asked for. */
function planeOf(picture, method, k) {
  const place = method.classes.indexOf(k);
  if (place < 0 || !method.grids) return null;
  if (!method.planes.has(k)) {
    const cells = method.grids.length / method.classes.length;
    const grid = method.grids.subarray(place * cells, (place + 1) * cells);
    method.planes.set(k, enlargeGrid(grid, picture.height, picture.width));
  }
  return method.planes.get(k);
}

/** What heat and contours show: a class's activations, the greatest of several, or the winner's of all. */
function levelsOf(picture, method, classes) {
  if (!classes.length) return method.level;
  const planes = classes.map((k) => planeOf(picture, method, k)).filter(Boolean);
  if (!planes.length) return new Uint8Array(method.level.length);
  if (planes.length === 1) return planes[0];
  const levels = planes[0].slice();
  for (const plane of planes.slice(1)) {
    for (let i = 0; i < levels.length; i++) if (plane[i] > levels[i]) levels[i] = plane[i];
  }
  return levels;
}
