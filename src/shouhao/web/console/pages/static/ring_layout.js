// Where the nodes of a ring stand: the same for the same ring in every browser, since nothing here is left to chance.
//
// Nodes push each other away and ties pull them together, from a fixed start and for a fixed number of steps. A hub pulls
// each of those tied to it less and needs more room: what many share must not heap them up in one spot.
// Source: Fruchterman and Reingold, Graph drawing by force-directed placement (1991).

const STEPS = 260;
const TURN = 2.399963; // the golden angle, radians: no two nodes begin on one ray
const FIRST_MOVE = 0.12;
const LEAST = 1e-4; // squared
const TO_MIDDLE = 0.4;
const HUB_FROM = 4; // ties
const MOST_DRAWN_OUT = 1.4;
const ROOM_FOR_THE_REST = 0.9; // of the height

// Sine and cosine of another browser may differ in the last bit, and a last bit moves whole drawings.
const even = (value) => Math.round(value * 1e6) / 1e6;

// Places in a box that is `wide` across and 1 high. edges: [{a, b}]; gives [[x, y], ...].
export function layOut(count, edges, wide = 1.5) {
  if (!count) return [];
  const ties = new Array(count).fill(0);
  for (const { a, b } of edges) [ties[a], ties[b]] = [ties[a] + 1, ties[b] + 1];
  const order = ties.map((_, n) => n).filter((n) => ties[n]).sort((one, two) => ties[two] - ties[one] || one - two);
  const [x, y, fx, fy] = Array.from({ length: 4 }, () => new Float64Array(count));
  order.forEach((n, place) => {
    const radius = Math.sqrt((place + 0.5) / order.length);
    x[n] = even(radius * Math.cos(place * TURN)) * wide;
    y[n] = even(radius * Math.sin(place * TURN));
  });
  const tied = order.length;
  const alone = ties.map((_, n) => n).filter((n) => !ties[n]);
  const wanted = 0.85 / Math.sqrt(tied || 1);
  const pulls = edges.map(({ a, b }) => ({ a, b, pull: 1 / Math.sqrt(Math.max(1, Math.max(ties[a], ties[b]) / HUB_FROM)) }));
  const room = ties.map((of) => Math.sqrt(Math.max(1, of / HUB_FROM)));
  for (let step = 0; step < STEPS; step += 1) {
    for (const n of order) [fx[n], fy[n]] = [(-TO_MIDDLE * x[n]) / wide, -TO_MIDDLE * y[n] * wide];
    for (let one = 0; one < tied; one += 1)
      for (let two = one + 1; two < tied; two += 1) {
        const [n, m] = [order[one], order[two]];
        const [dx, dy] = [x[n] - x[m], y[n] - y[m]];
        const push = (wanted * wanted * room[n] * room[m]) / Math.max(dx * dx + dy * dy, LEAST);
        fx[n] += dx * push;
        fy[n] += dy * push;
        fx[m] -= dx * push;
        fy[m] -= dy * push;
      }
    for (const { a, b, pull } of pulls) {
      const [dx, dy] = [x[b] - x[a], y[b] - y[a]];
      const strength = (pull * Math.sqrt(dx * dx + dy * dy)) / wanted;
      fx[a] += dx * strength;
      fy[a] += dy * strength;
      fx[b] -= dx * strength;
      fy[b] -= dy * strength;
    }
    const most = FIRST_MOVE * (1 - step / STEPS);
    for (const n of order) {
      const length = Math.sqrt(fx[n] * fx[n] + fy[n] * fy[n]) || 1;
      const move = Math.min(length, most) / length;
      x[n] += fx[n] * move;
      y[n] += fy[n] * move;
    }
  }
  const places = inBox(x, y, wide, order);
  alone.forEach((n, place) => (places[n] = [((place + 0.5) * wide) / alone.length, 1]));
  return places;
}

// As large as the box allows and in its middle; drawn out a little where that fills it better. Those whom nothing ties
// stand in a row below.
function inBox(x, y, wide, tied) {
  const [xs, ys] = [tied.map((n) => x[n]), tied.map((n) => y[n])];
  const high = tied.length < x.length ? ROOM_FOR_THE_REST : 1;
  const [left, right, low, up] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const [across, along] = [wide / (right - left || wide), high / (up - low || 1)];
  const most = MOST_DRAWN_OUT * Math.min(across, along);
  const [sx, sy] = [Math.min(across, most), Math.min(along, most)];
  return Array.from(x, (each, n) => [wide / 2 + (each - (left + right) / 2) * sx, high / 2 + (y[n] - (low + up) / 2) * sy]);
}

// Identifiers of one kind that tie the very same members say one thing many times: each such set becomes one bundle.
// Gives {nodes, edges} of the same form, where a bundle goes by the code of its first node and has `of`: all of them.
export function bundled(nodes, edges) {
  const isMember = new Set(edges.map((edge) => edge.a));
  const tiesOf = new Map(nodes.map((_, n) => [n, []]));
  for (const edge of edges) tiesOf.get(edge.b).push(edge);
  const sets = new Map();
  nodes.forEach((node, n) => {
    if (isMember.has(n) || !tiesOf.get(n).length) return;
    const alike = `${node.kind}\n${tiesOf.get(n).map((edge) => edge.a).sort((a, b) => a - b).join(",")}`;
    sets.set(alike, [...(sets.get(alike) || []), n]);
  });
  const bundleOf = new Map();
  for (const of of sets.values()) if (of.length > 1) for (const n of of) bundleOf.set(n, of);
  const place = new Map();
  const kept = [];
  nodes.forEach((node, n) => {
    const of = bundleOf.get(n);
    if (of && of[0] !== n) return;
    place.set(n, kept.length);
    kept.push(of ? { ...node, code: `${node.code}×${of.length}`, of: of.map((each) => nodes[each]) } : node);
  });
  const joined = new Map();
  for (const edge of edges) {
    const to = bundleOf.get(edge.b)?.[0] ?? edge.b;
    const key = `${edge.a} ${to}`;
    const known = joined.get(key);
    if (!known) joined.set(key, { ...edge, a: place.get(edge.a), b: place.get(to) });
    else
      joined.set(key, {
        ...known,
        weight: Math.max(known.weight, edge.weight),
        bridge: known.bridge || edge.bridge,
        n: (known.n || 0) + (edge.n || 0),
        first_at: [known.first_at, edge.first_at].filter(Boolean).sort()[0],
        last_at: [known.last_at, edge.last_at].filter(Boolean).sort().at(-1),
      });
  }
  return { nodes: kept, edges: [...joined.values()] };
}
