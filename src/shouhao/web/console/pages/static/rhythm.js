// Rhythm: when a subject acts against the others of its kind, as shares, with a sentence that says what is odd.

import { h, s } from "./dom.js";
import { ticks } from "./plot.js";
import { number, say } from "./words.js";

const SEEN = 0.0005; // a share below this is less than a pixel
const REMARKABLE = 0.2; // from this difference of shares on it is worth a sentence
const HEIGHT = 170; // px
const APART = 21; // percent of the width, between two words under the axis

export const TITLES = {
  gaps: ["相邻两次请求的间隔", "Time between one request and the next"],
  reactions: ["放号到第一次尝试", "From the release to the first try"],
  hours: ["一天中的时刻", "Hours of the day"],
};

const shares = (counts) => {
  const total = counts.reduce((sum, count) => sum + count, 0) || 1;
  return counts.map((count) => count / total);
};

// A length of time in the unit that is easy to hold. us: microseconds.
export function span(us) {
  const two = (value) => String(Number(value.toPrecision(2)));
  if (us < 1e6) return say(`${two(us / 1e3)} 毫秒`, `${two(us / 1e3)} ms`);
  if (us < 6e7) return say(`${two(us / 1e6)} 秒`, `${two(us / 1e6)} s`);
  if (us < 3.6e9) return say(`${two(us / 6e7)} 分`, `${two(us / 6e7)} min`);
  if (us < 8.64e10) return say(`${two(us / 3.6e9)} 小时`, `${two(us / 3.6e9)} h`);
  return say(`${two(us / 8.64e10)} 天`, `${two(us / 8.64e10)} days`);
}

// The run of bins in which the subject exceeds the others most: {first, last, own, others}, shares of the run.
export function oddest(own, others) {
  let best = { first: 0, last: -1, gain: 0 };
  let [from, sum] = [0, 0];
  own.forEach((share, n) => {
    sum += share - others[n];
    if (sum > best.gain) best = { first: from, last: n, gain: sum };
    if (sum <= 0) [from, sum] = [n + 1, 0];
  });
  // Neighbours that hold next to nothing of it are no part of the story.
  while (best.first < best.last && own[best.first] < 0.02) best.first += 1;
  while (best.first < best.last && own[best.last] < 0.02) best.last -= 1;
  const within = (all) => all.slice(best.first, best.last + 1).reduce((one, two) => one + two, 0);
  return { first: best.first, last: best.last, own: within(own), others: within(others) };
}

export function oddWords(name, compared) {
  const found = oddest(shares(compared.subject), shares(compared.others));
  if (found.own - found.others < REMARKABLE) return say("与同类对象差别不大。", "Much like the others of its kind.");
  const percent = (share) => (share > 0 && share < 0.005 ? say("不到 1%", "less than 1 %") : say(`${Math.round(100 * share)}%`, `${Math.round(100 * share)} %`));
  const [low, high] = [compared.edges[found.first], compared.edges[found.last + 1]];
  if (name === "hours")
    return say(`${percent(found.own)}的操作在 ${low}–${high} 时之间，其他人为 ${percent(found.others)}。`, `${percent(found.own)} of its acts fall between ${low}:00 and ${high}:00; of others’, ${percent(found.others)}.`);
  const en = low === 0 ? `below ${span(high)}` : `between ${span(low)} and ${span(high)}`;
  if (name === "gaps") {
    const zh = low === 0 ? `短于 ${span(high)}` : `在 ${span(low)}–${span(high)}之间`;
    return say(`${percent(found.own)}的间隔${zh}，其他人为 ${percent(found.others)}。`, `${percent(found.own)} of its gaps are ${en}; of others’, ${percent(found.others)}.`);
  }
  const zh = low === 0 ? `不到 ${span(high)}` : ` ${span(low)}–${span(high)}之`;
  return say(`${percent(found.own)}的首次尝试在放号后${zh}内，其他人为 ${percent(found.others)}。`, `${percent(found.own)} of its first tries come ${en} after the release; of others’, ${percent(found.others)}.`);
}

// Edges for a logarithmic axis, on which the first bin, from zero, is as wide as the second.
const logEdges = (edges) => edges.map((edge, n) => Math.log10(edge || (n ? 1 : edges[1] ** 2 / edges[2])));

const TIMES = [1e3, 1e4, 1e5, 1e6, 1e7, 6e7, 6e8, 3.6e9, 3.6e10, 8.64e10, 8.64e11];

function histogram(name, compared) {
  let own = shares(compared.subject);
  let others = shares(compared.others);
  let edges = name === "hours" ? compared.edges : logEdges(compared.edges);
  let marks;
  if (name === "hours") marks = [0, 6, 12, 18, 24].map((hour) => [hour, `${hour}:00`]);
  else {
    const seen = own.map((share, n) => n).filter((n) => own[n] > 0 || others[n] >= SEEN);
    const [first, last] = seen.length ? [seen[0], seen.at(-1)] : [0, own.length - 1];
    [own, others, edges] = [own.slice(first, last + 1), others.slice(first, last + 1), edges.slice(first, last + 2)];
    const [from, to] = [edges[0], edges.at(-1)];
    marks = TIMES.map((us) => [Math.log10(us), span(us)]).filter(([at]) => at >= from && at <= to);
  }
  const found = oddest(own, others);
  const remarkable = found.own - found.others >= REMARKABLE;
  const [from, to] = [edges[0], edges.at(-1)];
  const x = (value) => (100 * (value - from)) / (to - from);
  const top = Math.max(...own, ...others) * 1.08 || 1;
  const y = (share) => 6 + (1 - share / top) * (HEIGHT - 30);
  const floor = y(0);
  const shown = ticks(0, top, 5).filter((share) => share > 0);
  const pct = (value) => `${value.toFixed(2)}%`;
  const told = marks.reduce((kept, mark) => (kept.length && x(mark[0]) - x(kept.at(-1)[0]) < APART ? kept : [...kept, mark]), []);
  return h(
    "div",
    { class: "rhythm", role: "img", "aria-label": `${say(...TITLES[name])}${say("：", ": ")}${oddWords(name, compared)}` },
    s("svg", { class: "shares", height: HEIGHT }, shown.map((share) => s("text", { x: "100%", dx: -5, y: y(share) + 4, "text-anchor": "end" }, `${Number((100 * share).toPrecision(3))}%`))),
    s(
      "svg",
      { class: "bins", height: HEIGHT },
      remarkable ? s("rect", { x: pct(x(edges[found.first])), width: pct(x(edges[found.last + 1]) - x(edges[found.first])), y: 2, height: floor - 2, class: "odd" }) : null,
      shown.map((share) => s("line", { x1: 0, x2: "100%", y1: y(share), y2: y(share), class: "grid" })),
      others.map((share, n) => s("rect", { x: pct(x(edges[n])), width: pct(x(edges[n + 1]) - x(edges[n])), y: y(share), height: floor - y(share), class: "others" })),
      own.map((share, n) => [
        s("line", { x1: pct(x(edges[n])), x2: pct(x(edges[n])), y1: y(n ? own[n - 1] : 0), y2: y(share), class: "own" }),
        s("line", { x1: pct(x(edges[n])), x2: pct(x(edges[n + 1])), y1: y(share), y2: y(share), class: "own" }),
      ]),
      s("line", { x1: "100%", x2: "100%", y1: y(own.at(-1)), y2: floor, class: "own" }),
      s("line", { x1: 0, x2: "100%", y1: floor, y2: floor, class: "base" }),
      told.map(([at, words]) => s("text", { x: pct(x(at)), y: HEIGHT - 6, "text-anchor": x(at) > 90 ? "end" : x(at) < 8 ? "start" : "middle" }, words)),
    ),
  );
}

const total = (counts) => number(counts.reduce((one, two) => one + two, 0));

export function rhythms(rhythm) {
  return ["gaps", "reactions", "hours"]
    .filter((name) => rhythm[name])
    .map((name) =>
      h(
        "figure",
        { class: "figure" },
        h("figcaption", {}, say(...TITLES[name])),
        h("p", { class: "odd-words" }, oddWords(name, rhythm[name])),
        histogram(name, rhythm[name]),
        h("ul", { class: "legend" }, h("li", { class: "key-own" }, say(`它（${total(rhythm[name].subject)} 次）`, `it (${total(rhythm[name].subject)})`)), h("li", { class: "key-others" }, say(`${number(rhythm[name].people)} 个同类对象（${total(rhythm[name].others)} 次）`, `${number(rhythm[name].people)} others (${total(rhythm[name].others)})`))),
      ),
    );
}
