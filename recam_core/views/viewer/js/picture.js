/* The picture as it came from Python: one block of bytes (recam_core/views/viewer_payload.py says how it is laid out). */

/** The JSON text behind a 4-byte length, and where what follows it begins. */
function readHeader(bytes, begin) {
  const length = new DataView(bytes.buffer, bytes.byteOffset + begin, 4).getUint32(0, true);
  const text = new TextDecoder().decode(bytes.subarray(begin + 4, begin + 4 + length));
  return { header: JSON.parse(text), end: begin + 4 + length };
}

async function unpack(bytes, packing) {
  if (packing === "raw") return bytes.slice();
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Decodes the block that begins at `begin`; the result is not changed afterwards, except that planes are added. */
async function readPicture(id, bytes, begin) {
  const { header, end } = readHeader(bytes, begin);
  const arrays = new Map();
  await Promise.all(header.arrays.map(async ({ name, packing, begin: first, length }) => {
    arrays.set(name, await unpack(bytes.subarray(end + first, end + first + length), packing));
  }));
  const photo = await createImageBitmap(new Blob([arrays.get("photo")]), {
    premultiplyAlpha: "none", colorSpaceConversion: "none",
  });
  const colours = Array.from({ length: 256 }, () => [0, 0, 0]);
  const names = Array.from({ length: 256 }, () => "");
  for (const { value, name, colour } of header.values) {
    colours[value] = colour;
    names[value] = name;
  }
  const patterns = arrays.get("patterns");
  return {
    id,
    title: header.title,
    height: header.height,
    width: header.width,
    hasBackground: header.has_background,
    hasTruth: header.has_truth,
    truth: arrays.get("truth") ?? null,
    photo,
    present: header.present,
    asked: header.asked,
    values: header.values,
    colours,
    names,
    reference: header.reference,
    filled: header.filled,
    tints: header.tints,
    contour: header.contour,
    marks: header.marks,
    patterns: { tile: patterns, side: Math.round(Math.sqrt(patterns.length)), names: header.patterns },
    colourMaps: header.colour_maps,
    colourTables: Object.fromEntries(header.colour_maps.map((name) => [name, arrays.get(`colours_${name}`)])),
    methods: header.panes.map((pane, place) => ({
      ...pane,
      logOdds: pane.log_odds ?? null,
      winner: arrays.get(`winner${place}`),
      level: arrays.get(`level${place}`),
      grids: arrays.get(`grids${place}`) ?? null,
      planes: new Map(),
    })),
    sheets: header.sheets.map((sheet, place) => ({ ...sheet, grid: arrays.get(`sheet${place}`) })),
  };
}
