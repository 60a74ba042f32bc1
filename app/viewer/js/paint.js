/* From codes and activations to the pixels of a canvas: one pass, in whole numbers, as recam_core/views does it. */

/**
 * How codes are drawn: for each of 256 codes the share (0..256) and colour of its area, the same of its ink (lines of
 * the pattern, and borders), and the bit of its pattern. A share of 0 leaves the ground as it is.
 */
function newStyle() {
  return {
    areaShare: new Int32Array(256), area: new Int32Array(256),
    inkShare: new Int32Array(256), ink: new Int32Array(256), pattern: new Uint8Array(256),
  };
}

/** Kinds of pixels by colour and pattern (draw_marks); codes without an entry, or switched off, stay unmarked. */
function markStyle(picture, marks, isOff, opacity) {
  const style = newStyle(), strength = Math.fround(opacity);
  for (const { code, colour, pattern } of marks) {
    if (isOff(code)) continue;
    const tint = Math.fround(pattern === "solid" ? picture.tints.solid : picture.tints.lined);
    style.area[code] = style.ink[code] = packed(...colour);
    style.areaShare[code] = wholeShare(Math.fround(tint * strength));
    style.inkShare[code] = wholeShare(strength);
    if (pattern !== "solid") style.pattern[code] = 1 << picture.patterns.names.indexOf(pattern);
  }
  return style;
}

/** Classes by their colours, with light borders (seed_overlay). */
function seedStyle(picture, isOff, opacity) {
  const style = newStyle(), edge = wholeShare(0.55);
  for (const { value, colour } of picture.values) {
    if (value === 0 || isOff(value)) continue;
    style.area[value] = packed(...colour);
    style.areaShare[value] = wholeShare(opacity);
    style.ink[value] = packed(...colour.map((part) => mixed(part, 255, edge)));
    style.inkShare[value] = 256;
  }
  return style;
}

/** Draws codes (of the picture) in the window over `ground`, into `out`. */
function paintCodes(out, ground, codes, width, port, style, patterns) {
  const { across, down, columns, rows } = port, { areaShare, area, inkShare, ink, pattern } = style;
  const { tile, side } = patterns;
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
    const begin = y * across, tileRow = (y % side) * side;
    for (let x = 0, at = 0; x < across; x++) {
      const code = here[x + 1], under = ground[begin + x];
      if (areaShare[code] !== 0) {
        const inked = (tile[tileRow + at] & pattern[code]) !== 0 || here[x] !== code || here[x + 2] !== code ||
          above[x + 1] !== code || below[x + 1] !== code;
        const share = inked ? inkShare[code] : areaShare[code], colour = inked ? ink[code] : area[code];
        const red = under & 255, green = (under >> 8) & 255, blue = (under >> 16) & 255;
        out[begin + x] = packed(
          red + ((((colour & 255) - red) * share + 128) >> 8),
          green + (((((colour >> 8) & 255) - green) * share + 128) >> 8),
          blue + (((((colour >> 16) & 255) - blue) * share + 128) >> 8),
        );
      } else {
        out[begin + x] = under;
      }
      if (++at === side) at = 0;
    }
    const spare = above;
    above = here;
    here = below;
    below = spare;
  }
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
  const share = wholeShare(opacity);
  for (let i = 0; i < out.length; i++) out[i] = blendWord(photo[i], colours[levels[i]], share);
}

/** Lines of equal activation, and the one at the threshold, below which the photo is quieter (contour_overlay). */
function paintContour(out, clear, quiet, levels, port, colours, contour, cut, opacity) {
  const { across, down } = port, share = wholeShare(opacity), { step } = contour;
  const within = packed(...contour.within), without = packed(...contour.without);
  const band = Uint8Array.from({ length: 256 }, (_, level) => Math.floor(level / step));
  for (let y = 0, i = 0; y < down; y++) {
    const up = y > 0 ? across : 0, low = y + 1 < down ? across : 0;
    for (let x = 0; x < across; x++, i++) {
      const level = levels[i], claimed = level > cut, under = claimed ? clear[i] : quiet[i];
      const a = levels[i - up], b = levels[i + low];
      const c = x > 0 ? levels[i - 1] : level, d = x + 1 < across ? levels[i + 1] : level;
      if (level === a && level === b && level === c && level === d) {
        out[i] = under;
        continue;
      }
      const least = Math.min(a, b, c, d), most = Math.max(a, b, c, d);
      if (claimed && least <= cut) out[i] = blendWord(under, within, share);
      else if (!claimed && most > cut) out[i] = blendWord(under, without, share);
      else if (band[most] !== band[level] || band[least] !== band[level]) {
        out[i] = blendWord(under, colours[Math.max(band[most], band[level]) * step], share);
      } else {
        out[i] = under;
      }
    }
  }
}
