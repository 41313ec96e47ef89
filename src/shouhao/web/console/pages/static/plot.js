// Plots as SVG: what people would rather look at than read. Axes have words, and the numbers can be read aloud.

import { h, s } from "./dom.js";

const PAD = { left: 46, right: 14, top: 12, bottom: 30 };

export function ticks(low, high, count = 4) {
  const span = high - low || 1;
  const step = 10 ** Math.floor(Math.log10(span / count));
  const wide = [1, 2, 5, 10].find((one) => span / (one * step) <= count) * step;
  const found = [];
  for (let at = Math.ceil(low / wide) * wide; at <= high + wide / 1e6; at += wide) found.push(Number(at.toPrecision(12)));
  return found;
}

// On a logarithmic axis: every power of ten, and 2 and 5 between them where there are few.
function logTicks(low, high) {
  const steps = Math.log10(high / low) < 2 ? [1, 2, 5] : [1];
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const step of steps) found.push(Number((step * 10 ** power).toPrecision(3)));
  }
  const within = found.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  const every = Math.ceil(within.length / 7);
  return within.filter((_, n) => n % every === 0);
}

// Lines over a common axis. series: [{name, points: [[x, y], ...], step?, strong?, dashed?, like?}], where `like` takes the
// colour of another series; marks stand across x and `levels` across y; dots: [{x, y, words}]. xLog, yLog: logarithmic axes,
// on which only what is above 0 has a place.
export function lines({
  title, series: given, xWords, yWords, xFormat = String, yFormat = String, width = 560, height = 220, marks = [],
  xLog = false, yLog = false, levels = [], dots = [],
}) {
  const placed = ([px, py]) => (!xLog || px > 0) && (!yLog || py > 0);
  const series = xLog || yLog ? given.map((one) => ({ ...one, points: one.points.filter(placed) })) : given;
  const points = series.flatMap((one) => one.points);
  if (!points.length) return h("p", { class: "empty" }, "—");
  const xs = points.map((point) => point[0]).concat(marks.map((mark) => mark.x));
  const ys = points.map((point) => point[1]).concat(levels.map((level) => level.y));
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const top = Math.max(...ys, 1e-9);
  const bottom = yLog ? Math.min(...ys) : 0;
  const share = (value, low, high, isLog) => (isLog ? Math.log(value / low) / (Math.log(high / low) || 1) : (value - low) / (high - low || 1));
  const x = (value) => PAD.left + share(value, left, right, xLog) * (width - PAD.left - PAD.right);
  const y = (value) => height - PAD.bottom - share(value, bottom, top, yLog) * (height - PAD.top - PAD.bottom);
  const path = (one) =>
    one.points
      .map(([px, py], n) => {
        if (!n) return `M${x(px).toFixed(1)} ${y(py).toFixed(1)}`;
        return one.step ? `H${x(px).toFixed(1)}V${y(py).toFixed(1)}` : `L${x(px).toFixed(1)} ${y(py).toFixed(1)}`;
      })
      .join("");
  const colour = (one, n) => (one.like ?? n) % 6;
  const beside = (place) => (place > width * 0.55 ? { x: place - 4, "text-anchor": "end" } : { x: place + 4, "text-anchor": "start" });
  const picture = s(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title, class: "plot" },
    (yLog ? logTicks(bottom, top) : ticks(0, top)).map((value) => [
      s("line", { x1: PAD.left, x2: width - PAD.right, y1: y(value), y2: y(value), class: "grid" }),
      s("text", { x: PAD.left - 6, y: y(value) + 4, "text-anchor": "end" }, yFormat(value)),
    ]),
    (xLog ? logTicks(left, right) : ticks(left, right, 6)).map((value) =>
      s("text", { x: x(value), y: height - PAD.bottom + 16, "text-anchor": "middle" }, xFormat(value)),
    ),
    s("text", { x: width - PAD.right, y: height - 2, "text-anchor": "end", class: "axis" }, xWords),
    s("text", { x: 2, y: 10, class: "axis" }, yWords),
    levels.map((level) => [
      s("line", { x1: PAD.left, x2: width - PAD.right, y1: y(level.y), y2: y(level.y), class: "level" }),
      s("text", { x: PAD.left + 4, y: y(level.y) - 4, class: "axis" }, level.words),
    ]),
    marks.map((mark) => [
      s("line", { x1: x(mark.x), x2: x(mark.x), y1: PAD.top, y2: height - PAD.bottom, class: mark.quiet ? "mark quiet" : "mark" }),
      mark.row === undefined
        ? s("text", { x: x(mark.x) + 4, y: PAD.top + 10, class: "axis" }, mark.words)
        : s("text", { ...beside(x(mark.x)), y: PAD.top + 10 + 14 * mark.row, class: "axis" }, mark.words),
    ]),
    series.map((one, n) => s("path", { d: path(one), class: `line line${colour(one, n)}${one.strong ? " strong" : ""}${one.dashed ? " dashed" : ""}` })),
    dots.map((dot) => s("circle", { cx: x(dot.x), cy: y(dot.y), r: 4.5, class: "dot" }, s("title", {}, dot.words))),
  );
  const key = (one, n) => h("li", { class: `key${colour(one, n)}${one.dashed ? " key-dashed" : ""}` }, one.name);
  const names = series.length > 1 ? h("ul", { class: "legend" }, series.map(key)) : null;
  return h("figure", { class: "figure" }, h("figcaption", {}, title), picture, names);
}

// One bar a row, widest first to read.
export function bars({ title, rows, format = String }) {
  if (!rows.length) return h("p", { class: "empty" }, "—");
  const top = Math.max(...rows.map((row) => row.value), 1e-9);
  return h(
    "figure",
    { class: "figure" },
    h("figcaption", {}, title),
    h(
      "ul",
      { class: "bars" },
      rows.map((row) =>
        h(
          "li",
          {},
          h("span", { class: "bar-name" }, row.name),
          s("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "bar", "aria-hidden": "true" }, s("rect", { width: Math.max(0.5, (100 * row.value) / top), height: 10, class: row.bad ? "bad" : "good" })),
          h("span", { class: "bar-value" }, format(row.value)),
        ),
      ),
    ),
  );
}

// Where a similarity stands against the threshold it had to reach.
export function against({ value, threshold, words }) {
  const x = (at) => 10 + 320 * Math.min(1, Math.max(0, at));
  return s(
    "svg",
    { viewBox: "0 0 340 26", class: "against", role: "img", "aria-label": words },
    s("rect", { x: 10, y: 10, width: 320, height: 7, class: "track" }),
    s("rect", { x: x(threshold), y: 10, width: Math.max(0, x(value) - x(threshold)), height: 7, class: "over" }),
    s("line", { x1: x(threshold), x2: x(threshold), y1: 3, y2: 24, class: "threshold" }),
    s("circle", { cx: x(value), cy: 13.5, r: 6, class: "value" }),
  );
}
