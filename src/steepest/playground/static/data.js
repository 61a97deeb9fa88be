// Reads what `pack.py` wrote: differences of whole codes, low bytes first, then high ones.

export const facts = JSON.parse(document.getElementById("facts").textContent);
const T = facts.steps + 1;
const LANES = facts.rates.length * 4; // rates × starts × noise of one choice of knobs

const Q = { x: 0, y: 1, loss: 2, g: 3, effective: 4, state: 6 };

let planes = new Uint8Array(0);
const kept = new Map();

export async function unpack() {
  const bytes = Uint8Array.from(atob(document.getElementById("data").textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  planes = new Uint8Array(await new Response(stream).arrayBuffer());
  let offset = 0;
  for (const method of facts.methods) {
    method.lanes = method.ends[0].length;
    method.offset = offset;
    offset += (Q.state + method.state.length) * facts.lands.length * method.lanes * T;
  }
  facts.heights = offset;
}

// `count` whole numbers from a row that begins at `offset`: each is the sum of the differences up to it.
function codes(offset, count) {
  const half = planes.length / 2;
  const row = new Int32Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const zigzag = planes[offset + i] | (planes[half + offset + i] << 8);
    sum += (zigzag >>> 1) ^ -(zigzag & 1);
    row[i] = sum;
  }
  return row;
}

const linear = (row, low, high) => Float64Array.from(row, (code) => low + (code / facts.codes) * (high - low));
const logarithm = (row, scale) =>
  Float64Array.from(row, (code) => (code ? Math.sign(code) * 10 ** (scale.floor + (Math.abs(code) - 1) / scale.decade) : 0));

// The path of a run on a landscape: positions, loss, gradient, effective steps and states at each step, and its end.
export function pathOf(run, land, start, noise) {
  const m = facts.methods.findIndex((method) => method.name === run.method);
  const method = facts.methods[m];
  const variant = method.knobs.reduce((sum, knob) => sum * knob.choices.length + knob.choices.indexOf(run.settings[knob.name]), 0);
  const lane = variant * LANES + run.rate * 4 + start * 2 + (noise ? 1 : 0);
  const key = [m, land, lane].join();
  if (!kept.has(key)) {
    const row = (q) => codes(method.offset + ((q * facts.lands.length + land) * method.lanes + lane) * T, T);
    const [x0, x1, y0, y1] = facts.lands[land].room;
    kept.set(key, {
      w: [linear(row(Q.x), x0, x1), linear(row(Q.y), y0, y1)],
      loss: logarithm(row(Q.loss), facts.loss),
      g: logarithm(row(Q.g), facts.number),
      effective: [0, 1].map((i) => logarithm(row(Q.effective + i), facts.step)),
      state: method.state.map((_, i) => logarithm(row(Q.state + i), facts.number)),
      end: method.ends[land][lane],
      back: method.back[land].includes(lane), // after it has left the room
    });
  }
  return kept.get(key);
}

// Heights of a landscape, 0 … 1, from the bottom row up.
export function heightsOf(land) {
  const { wide, high } = facts;
  const whole = new Float64Array(wide * high);
  for (let y = 0; y < high; y++) {
    codes(facts.heights + (land * high + y) * wide, wide).forEach((code, x) => (whole[y * wide + x] = code / facts.codes));
  }
  return whole;
}
