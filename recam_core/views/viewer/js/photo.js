/* The photo in the window: shared by all panes, sampled again only when the window moves. */

/** Luma weights, in 1/256 (recam_core/views/colours.py). */
const LUMA = [77, 150, 29];
/** From so many screen pixels on for one of the picture, pixels are shown as squares. */
const SQUARES = 6;

/** Packs a colour as canvases hold it: red in the lowest byte, opaque. */
const packed = (red, green, blue) => -16777216 | (blue << 16) | (green << 8) | red;
const wholeShare = (share) => roundHalfEven(Math.fround(share) * 256);
const mixed = (below, above, share) => below + (((above - below) * share + 128) >> 8);

class PhotoInWindow {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.muted = new Map();
  }

  /** across x down packed pixels of the photo. */
  pixels(picture, port) {
    if (this.key !== port.key) {
      this.sampled = port.scale >= SQUARES || port.scale === 1 ? this.squares(picture, port) : this.smooth(picture, port);
      this.key = port.key;
      this.muted.clear();
    }
    return this.sampled;
  }

  /** The photo between its pixels, as browsers scale pictures. */
  smooth(picture, port) {
    return this.draw(picture, port.across, port.down, [port.left, port.top, port.seenX, port.seenY]);
  }

  /** Each pixel of the photo as it is, where codes put theirs. */
  squares(picture, { across, down, columns, rows }) {
    if (this.whole?.id !== picture.id) {
      const { width, height } = picture;
      this.whole = { id: picture.id, pixels: this.draw(picture, width, height, [0, 0, width, height]) };
    }
    const out = new Int32Array(across * down), { pixels } = this.whole;
    for (let y = 0, i = 0; y < down; y++) {
      const first = rows[y] * picture.width;
      for (let x = 0; x < across; x++, i++) out[i] = pixels[first + columns[x]];
    }
    return out;
  }

  draw(picture, across, down, [left, top, width, height]) {
    const { canvas } = this;
    canvas.width = across;
    canvas.height = down;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(picture.photo, left, top, width, height, 0, 0, across, down);
    return new Int32Array(context.getImageData(0, 0, across, down).data.buffer);
  }

  /** The same, quieter: see `muted` in recam_core/views/colours.py. */
  quiet(picture, port, colour, light) {
    const photo = this.pixels(picture, port), key = `${colour} ${light}`;
    if (!this.muted.has(key)) {
      // While the opacity moves, every step has a photo of its own: keep no more than a few.
      if (this.muted.size > 3) this.muted.clear();
      this.muted.set(key, mutedPixels(photo, colour, light));
    }
    return this.muted.get(key);
  }
}

function mutedPixels(photo, colour, light) {
  const out = new Int32Array(photo.length), keep = wholeShare(colour), towards = wholeShare(light);
  const [redWeight, greenWeight, blueWeight] = LUMA;
  for (let i = 0; i < photo.length; i++) {
    const pixel = photo[i], red = pixel & 255, green = (pixel >> 8) & 255, blue = (pixel >> 16) & 255;
    const grey = (redWeight * red + greenWeight * green + blueWeight * blue) >> 8;
    out[i] = packed(
      mixed(mixed(grey, red, keep), 140, towards),
      mixed(mixed(grey, green, keep), 140, towards),
      mixed(mixed(grey, blue, keep), 140, towards),
    );
  }
  return out;
}
