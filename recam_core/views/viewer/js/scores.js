/* Scores of a pane at any threshold, from one count of its pixels. */

/**
 * Counts the pixels of a method by ground truth, winner and level, summed from the highest level down, so that the
 * confusion matrix of a threshold is read off: O(values squared), whatever the size of the picture.
 */
function countPixels(picture, method) {
  const values = picture.values.map(({ value }) => value).filter((value) => value !== VOID);
  const size = values.length, place = new Uint8Array(256).fill(255);
  values.forEach((value, index) => { place[value] = index; });
  const above = new Uint32Array(size * size * 257), { truth } = picture, { winner, level } = method;
  const skipped = picture.hasBackground ? -1 : 0;
  for (let i = 0; i < winner.length; i++) {
    if (truth[i] === VOID || truth[i] === skipped) continue;
    above[(place[truth[i]] * size + place[winner[i]]) * 257 + level[i]]++;
  }
  for (let cell = 0; cell < size * size; cell++) {
    for (let at = 254; at >= 0; at--) above[cell * 257 + at] += above[cell * 257 + at + 1];
  }
  return { values, size, above };
}

/** size x size pixels by ground truth (row) and seed (column); place 0 is the background, or unlabelled. */
function confusionAt({ size, above }, cut) {
  const confusion = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const cell = (row * size + column) * 257, claimed = above[cell + cut + 1];
      confusion[row * size + column] += claimed;
      confusion[row * size] += above[cell] - claimed;
    }
  }
  return confusion;
}

/** The pixels of a picture that count. */
function scoredPixels(picture) {
  const { truth, hasBackground } = picture;
  picture.scored ??= truth.reduce((sum, value) => sum + (value !== VOID && (hasBackground || value !== 0) ? 1 : 0), 0);
  return picture.scored;
}

const ratio = (part, whole) => (whole > 0 ? part / whole : NaN);

function meanOfPresent(values) {
  const present = values.filter((value) => !Number.isNaN(value));
  return present.length ? present.reduce((sum, value) => sum + value, 0) / present.length : NaN;
}

/**
 * IoU, precision, recall and share of wrong-class pixels, as in recam_core/scores/scores.py: of one class, the mean
 * of several, or of all that occur with the background, if there is one.
 */
function scoresAt(counts, cut, classes, hasBackground) {
  const { values, size } = counts, confusion = confusionAt(counts, cut);
  const rows = new Float64Array(size), columns = new Float64Array(size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      rows[row] += confusion[row * size + column];
      columns[column] += confusion[row * size + column];
    }
  }
  const wanted = values.map((_, place) => place).filter((place) =>
    classes.length ? classes.includes(values[place] - 1) : hasBackground || values[place] !== 0);
  const right = (place) => confusion[place * size + place];
  const objects = wanted.filter((place) => values[place] !== 0);
  let wrong = 0, pixels = 0;
  for (const place of objects) {
    wrong += rows[place] - confusion[place * size] - right(place);
    pixels += rows[place];
  }
  return {
    iou: meanOfPresent(wanted.map((place) => ratio(right(place), rows[place] + columns[place] - right(place)))),
    precision: meanOfPresent(wanted.map((place) => ratio(right(place), columns[place]))),
    recall: meanOfPresent(wanted.map((place) => ratio(right(place), rows[place]))),
    wrong_class: ratio(wrong, pixels),
  };
}
