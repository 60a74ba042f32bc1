/* What each pixel of a pane is called: the class of its seed, its kind of error, or how the methods disagree on it. */

const VOID = 255;
const RIGHT = 1, FALSE_ON_BACKGROUND = 2, FALSE_ON_CLASS = 3, LOST_TO_BACKGROUND = 4, LOST_TO_CLASS = 5, UNSCORED = 6;
const ALONE_CLAIMS = 1, ALONE_LEAVES = 2, DISPUTED = 3;
const TAKEN_BACK = 1, LOST = 2, BOTH_WRONG = 3;

/** The code of a pixel with this ground truth and seed (recam_core/views/pixel_kinds.py). */
function errorCode(truth, seed, classes) {
  if (classes.length === 1) {
    const own = classes[0] + 1, claimed = seed === own;
    if (truth === VOID) return claimed ? UNSCORED : 0;
    if (truth === own) return claimed ? RIGHT : seed === 0 ? LOST_TO_BACKGROUND : LOST_TO_CLASS;
    if (!claimed) return 0;
    return truth === 0 ? FALSE_ON_BACKGROUND : FALSE_ON_CLASS;
  }
  // Of several classes, only what concerns them: pixels that are theirs, or that are given to them.
  if (classes.length && !classes.includes(truth - 1) && !classes.includes(seed - 1)) return 0;
  if (truth === VOID) return UNSCORED;
  if (truth === 0) return seed === 0 ? 0 : FALSE_ON_BACKGROUND;
  if (seed === 0) return LOST_TO_BACKGROUND;
  return seed === truth ? RIGHT : FALSE_ON_CLASS;
}

/**
 * The two codes that a pixel can have, whatever the threshold: one where the winner claims it, one where it is left to
 * the background. Moving the threshold then only chooses between them.
 */
function codePair(picture, method, overlay, classes) {
  const { winner } = method, count = winner.length;
  const claimed = new Uint8Array(count), left = new Uint8Array(count);
  if (overlay === "errors") {
    const table = new Uint8Array(65536);
    for (const { value: truth } of picture.values) {
      for (const { value: seed } of picture.values) table[(truth << 8) | seed] = errorCode(truth, seed, classes);
    }
    for (let i = 0; i < count; i++) {
      const truth = picture.truth[i] << 8;
      claimed[i] = table[truth | winner[i]];
      left[i] = table[truth];
    }
  } else {
    const shown = shownSeeds(classes);
    for (let i = 0; i < count; i++) claimed[i] = shown[winner[i]];
  }
  return { claimed, left };
}

/** Which seed values stay when only these classes are looked at. */
function shownSeeds(classes) {
  const shown = Uint8Array.from({ length: 256 }, (_, value) => value);
  if (classes.length) for (let value = 1; value < VOID; value++) if (!classes.includes(value - 1)) shown[value] = 0;
  return shown;
}

/** Chooses by the threshold, into `codes`. */
function cutCodes(codes, { claimed, left }, level, cut) {
  for (let i = 0; i < codes.length; i++) codes[i] = level[i] > cut ? claimed[i] : left[i];
}

/** How pane `own` stands to the others (recam_core/views/pixel_kinds.py), from every pane's answers, into `codes`. */
function disagreementCodes(codes, answers, own) {
  const ours = answers[own], others = answers.filter((_, place) => place !== own), count = others.length;
  if (count === 2) {  // the usual three methods, without a loop within the loop
    const [one, two] = others;
    for (let i = 0; i < codes.length; i++) {
      const a = ours[i], b = one[i], c = two[i];
      if (a === b) codes[i] = a === c ? 0 : DISPUTED;
      else if (a === c) codes[i] = DISPUTED;
      else codes[i] = a !== 0 ? ALONE_CLAIMS : b !== 0 && c !== 0 ? ALONE_LEAVES : DISPUTED;
    }
    return;
  }
  for (let i = 0; i < codes.length; i++) {
    const answer = ours[i];
    let same = 0, claims = 0;
    for (let other = 0; other < count; other++) {
      same += others[other][i] === answer;
      claims += others[other][i] !== 0;
    }
    if (same) codes[i] = same < count ? DISPUTED : 0;
    else if (!count) codes[i] = 0;
    else codes[i] = answer !== 0 ? ALONE_CLAIMS : claims === count ? ALONE_LEAVES : DISPUTED;
  }
}

/** Whether a code of an error overlay is one of a wrong pixel; without a background, 0 in the ground truth counts for none. */
function isWrong(code, hasBackground) {
  return code > (hasBackground ? RIGHT : FALSE_ON_BACKGROUND) && code < UNSCORED;
}

/**
 * How a method stands to the reference (recam_core/views/pixel_kinds.py), from the error codes of both, into
 * `codes`. Gives how many pixels have each pair of error codes, at 8 * the reference's + the method's.
 */
function takenCodes(codes, before, after, hasBackground) {
  const counts = new Uint32Array(64), table = Uint8Array.from({ length: 64 }, (_, pair) => {
    const was = isWrong(pair >> 3, hasBackground), now = isWrong(pair & 7, hasBackground);
    return was ? (now ? BOTH_WRONG : TAKEN_BACK) : now ? LOST : 0;
  });
  for (let i = 0; i < codes.length; i++) {
    const pair = (before[i] << 3) | after[i];
    counts[pair]++;
    codes[i] = table[pair];
  }
  return counts;
}
