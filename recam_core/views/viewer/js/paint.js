/* From codes and activations to the pixels of a canvas: one pass, in whole numbers, as recam_core/views does it. */

/**
 * How codes are drawn: for each of 256 codes two ways, that of its area at `code` and that of its ink (lines of the
 * pattern, and borders) at 256 + `code`, and the bit of its pattern.
 *
 * A way is what blending needs. Red and blue of a packed pixel are worked on in one multiplication, with 16 bits for
 * each; below * 256 + (above - below) * share + 128 is summed as below * (256 - share) + (above * share + 128), whose
 * second part is the same for all pixels of a code. The result is that of `mixed` to the last bit. A code that nothing
 * was set for leaves the ground as it is.
 */
function newStyle() {
  return {
    pattern: new Uint8Array(256), keep: new Int32Array(512).fill(256),
    redBlue: new Int32Array(512).fill(0x800080), green: new Int32Array(512).fill(128),
  };
}

const RED_BLUE = 0xff00ff;

/** Sets the way at `place`: this colour, seen with this share (0..256). */
function setWay(style, place, [red, green, blue], share) {
  style.keep[place] = 256 - share;
  style.redBlue[place] = Math.imul((blue << 16) | red, share) + 0x800080;
  style.green[place] = green * share + 128;
}

/** Kinds of pixels by colour and pattern (draw_marks); codes without an entry, or switched off, stay unmarked. */
function markStyle(picture, marks, isOff, opacity) {
  const style = newStyle(), strength = Math.fround(opacity);
  for (const { code, colour, pattern } of marks) {
    if (isOff(code)) continue;
    const tint = Math.fround(pattern === "solid" ? picture.tints.solid : picture.tints.lined);
    setWay(style, code, colour, wholeShare(Math.fround(tint * strength)));
    setWay(style, 256 + code, colour, wholeShare(strength));
    if (pattern !== "solid") style.pattern[code] = 1 << picture.patterns.names.indexOf(pattern);
  }
  return style;
}

/** Classes by their colours, with light borders (seed_overlay). */
function seedStyle(picture, isOff, opacity) {
  const style = newStyle(), edge = wholeShare(0.55);
  for (const { value, colour } of picture.values) {
    if (value === 0 || isOff(value)) continue;
    setWay(style, value, colour, wholeShare(opacity));
    setWay(style, 256 + value, colour.map((part) => mixed(part, 255, edge)), 256);
  }
  return style;
}

/** The patterns over a canvas `across` wide: for each row of the tile, its bits at every column. */
function patternRows({ tile, side }, across) {
  return Array.from({ length: side }, (_row, row) =>
    Uint8Array.from({ length: across }, (_bit, x) => tile[row * side + (x % side)]));
}

/** Draws codes (of the picture) in the window over `ground`, into `out`; without a branch for each pixel. */
function paintCodes(out, ground, codes, width, port, style, patterns) {
  const { across, down, columns, rows } = port, { pattern, keep, redBlue, green } = style;
  // Three rows of codes as they fall on the canvas, with a column more on both sides.
  let above = new Uint8Array(across + 2), here = new Uint8Array(across + 2), below = new Uint8Array(across + 2);
  const fill = (line, row) => {
    const first = rows[row] * width;
    for (let x = 0; x < across; x++) line[x + 1] = codes[first + columns[x]];
    line[0] = line[1];
    line[across + 1] = line[across];
  };
  fill(here, 0);
  above.set(here);
  for (let y = 0; y < down; y++) {
    if (y + 1 === down || rows[y + 1] === rows[y]) below.set(here);
    else fill(below, y + 1);
    const begin = y * across, bits = patterns[y % patterns.length];
    let before = here[0], code = here[1];
    for (let x = 0; x < across; x++) {
      const after = here[x + 2], under = ground[begin + x];
      const inked = (before ^ code) | (after ^ code) | (above[x + 1] ^ code) | (below[x + 1] ^ code) | (bits[x] & pattern[code]);
      const way = code | ((-inked >> 31) & 256), kept = keep[way];
      out[begin + x] = -16777216 | (((Math.imul(under & RED_BLUE, kept) + redBlue[way] | 0) >>> 8) & RED_BLUE) |
        ((((under >> 8) & 255) * kept + green[way]) & 0xff00);
      before = code;
      code = after;
    }
    const spare = above;
    above = here;
    here = below;
    below = spare;
  }
}

/** Draws one rectangle of the canvas anew, as paintCodes does. */
function paintRectangle(out, ground, codes, width, port, style, patterns, [left, top, right, bottom]) {
  const { across, down, columns, rows } = port, { pattern, keep, redBlue, green } = style;
  for (let y = Math.max(top, 0); y < Math.min(bottom, down); y++) {
    const row = rows[y] * width, up = rows[Math.max(y - 1, 0)] * width, low = rows[Math.min(y + 1, down - 1)] * width;
    const bits = patterns[y % patterns.length];
    for (let x = Math.max(left, 0); x < Math.min(right, across); x++) {
      const column = columns[x], code = codes[row + column], i = y * across + x, under = ground[i];
      const inked = (codes[row + columns[x > 0 ? x - 1 : x]] ^ code) | (codes[row + columns[x + 1 < across ? x + 1 : x]] ^ code) |
        (codes[up + column] ^ code) | (codes[low + column] ^ code) | (bits[x] & pattern[code]);
      const way = code | ((-inked >> 31) & 256), kept = keep[way];
      out[i] = -16777216 | (((Math.imul(under & RED_BLUE, kept) + redBlue[way] | 0) >>> 8) & RED_BLUE) |
        ((((under >> 8) & 255) * kept + green[way]) & 0xff00);
    }
  }
}

/** Where more than this share of the picture has changed, drawing all of it is quicker. */
const FEW = 1 / 16;

/**
 * Draws codes like paintCodes, but only around pixels that have another code than in `painted`, which it brings up to
 * date. Says whether it did: not where too much has changed.
 */
function repaintCodes(out, ground, codes, painted, width, port, style, patterns) {
  const changed = changedPixels(codes, painted);
  if (changed === null) return false;
  const { firstColumn, firstRow } = canvasPlaces(port, width, codes.length / width);
  for (const pixel of changed) {
    const column = pixel % width, row = (pixel - column) / width;
    painted[pixel] = codes[pixel];
    const place = [firstColumn[column] - 1, firstRow[row] - 1, firstColumn[column + 1] + 1, firstRow[row + 1] + 1];
    paintRectangle(out, ground, codes, width, port, style, patterns, place);
  }
  return true;
}

/** The pixels whose codes differ, or null where they are many. Compares four at a time. */
function changedPixels(codes, painted) {
  const words = codes.length >> 2, changed = [], most = codes.length * FEW;
  const now = new Uint32Array(codes.buffer, 0, words), before = new Uint32Array(painted.buffer, 0, words);
  for (let word = 0; word < words; word++) {
    if (now[word] === before[word]) continue;
    for (let i = 4 * word; i < 4 * word + 4; i++) if (codes[i] !== painted[i]) changed.push(i);
    if (changed.length > most) return null;
  }
  for (let i = 4 * words; i < codes.length; i++) if (codes[i] !== painted[i]) changed.push(i);
  return changed;
}

/** For each column and row of the picture, the first of the canvas that shows it or what comes after it. */
function canvasPlaces(port, width, height) {
  if (port.firstColumn) return port;
  const firsts = (table, count) => {
    const first = new Int32Array(count + 1).fill(table.length);
    for (let at = table.length - 1; at >= 0; at--) first[table[at]] = at;
    for (let place = count - 1; place >= 0; place--) first[place] = Math.min(first[place], first[place + 1]);
    return first;
  };
  port.firstColumn = firsts(port.columns, width);
  port.firstRow = firsts(port.rows, height);
  return port;
}

/** across x down activations in the window, between pixels by their distance; the picture's own at its own size. */
function levelsInWindow(levels, picture, port) {
  const { across, down, scale, left, top, columns, rows } = port, { width, height } = picture;
  const out = new Uint8Array(across * down);
  if (scale <= 1) {
    for (let y = 0, i = 0; y < down; y++) {
      const row = rows[y] * width;
      for (let x = 0; x < across; x++, i++) out[i] = levels[row + columns[x]];
    }
    return out;
  }
  const axis = (first, count, whole) => {
    const before = new Int32Array(count), after = new Int32Array(count), share = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const centre = Math.min(Math.max(first + (i + 0.5) / scale - 0.5, 0), whole - 1);
      before[i] = Math.floor(centre);
      after[i] = Math.min(before[i] + 1, whole - 1);
      share[i] = Math.round((centre - before[i]) * 256);
    }
    return { before, after, share };
  };
  const horizontal = axis(left, across, width), vertical = axis(top, down, height);
  for (let y = 0, i = 0; y < down; y++) {
    const one = vertical.before[y] * width, two = vertical.after[y] * width, lower = vertical.share[y];
    for (let x = 0; x < across; x++, i++) {
      const a = horizontal.before[x], b = horizontal.after[x], t = horizontal.share[x];
      const high = levels[one + a] * (256 - t) + levels[one + b] * t;
      const low = levels[two + a] * (256 - t) + levels[two + b] * t;
      out[i] = (high * (256 - lower) + low * lower + 32768) >> 16;
    }
  }
  return out;
}

/** 256 packed colours of a colour map. */
function colourWords(table) {
  return Int32Array.from({ length: 256 }, (_, level) => packed(...table.subarray(3 * level, 3 * level + 3)));
}

function blendWord(under, colour, share) {
  return packed(
    mixed(under & 255, colour & 255, share),
    mixed((under >> 8) & 255, (colour >> 8) & 255, share),
    mixed((under >> 16) & 255, (colour >> 16) & 255, share),
  );
}

/** Heat over the photo (heat_overlay). */
function paintHeat(out, photo, levels, colours, opacity) {
  const share = wholeShare(opacity), kept = 256 - share, style = newStyle(), { redBlue, green } = style;
  colours.forEach((colour, level) => setWay(style, level, [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255], share));
  for (let i = 0; i < out.length; i++) {
    const under = photo[i], level = levels[i];
    out[i] = -16777216 | (((Math.imul(under & RED_BLUE, kept) + redBlue[level] | 0) >>> 8) & RED_BLUE) |
      ((((under >> 8) & 255) * kept + green[level]) & 0xff00);
  }
}

/** The least and the greatest activation of each pixel and of those above, below, left and right of it. */
function neighbourhood(levels, { across, down }) {
  const least = new Uint8Array(levels.length), most = new Uint8Array(levels.length);
  for (let y = 0, i = 0; y < down; y++) {
    const up = y > 0 ? across : 0, low = y + 1 < down ? across : 0;
    for (let x = 0; x < across; x++, i++) {
      const a = levels[i - up], b = levels[i + low];
      const c = levels[x > 0 ? i - 1 : i], d = levels[x + 1 < across ? i + 1 : i];
      least[i] = Math.min(levels[i], a, b, c, d);
      most[i] = Math.max(levels[i], a, b, c, d);
    }
  }
  return { levels, least, most };
}

/** The ground under lines of equal activation; a threshold does not change these. */
function withLines(ground, { least, most }, colours, { step }, opacity) {
  const out = ground.slice(), share = wholeShare(opacity);
  const band = Uint8Array.from({ length: 256 }, (_, level) => Math.floor(level / step));
  for (let i = 0; i < out.length; i++) {
    const high = band[most[i]];
    if (band[least[i]] !== high) out[i] = blendWord(ground[i], colours[high * step], share);
  }
  return out;
}

/** Chooses between the clear and the quiet picture by the threshold, and draws the line at it (contour_overlay). */
function paintContour(out, grounds, lined, { levels, least, most }, contour, cut, opacity) {
  const [clear, quiet] = grounds, [clearLined, quietLined] = lined, share = wholeShare(opacity);
  const within = packed(...contour.within), without = packed(...contour.without);
  for (let i = 0; i < out.length; i++) {
    if (levels[i] > cut) out[i] = least[i] > cut ? clearLined[i] : blendWord(clear[i], within, share);
    else out[i] = most[i] > cut ? blendWord(quiet[i], without, share) : quietLined[i];
  }
}
