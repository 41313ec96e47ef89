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

// Lines over a common axis. series: [{name, points: [[x, y], ...], step?, strong?}]
export function lines({ title, series, xWords, yWords, xFormat = String, yFormat = String, width = 560, height = 220, marks = [] }) {
  const points = series.flatMap((one) => one.points);
  if (!points.length) return h("p", { class: "empty" }, "—");
  const xs = points.map((point) => point[0]).concat(marks.map((mark) => mark.x));
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const top = Math.max(...points.map((point) => point[1]), 1e-9);
  const x = (value) => PAD.left + ((value - left) / (right - left || 1)) * (width - PAD.left - PAD.right);
  const y = (value) => height - PAD.bottom - (value / top) * (height - PAD.top - PAD.bottom);
  const path = (one) =>
    one.points
      .map(([px, py], n) => {
        if (!n) return `M${x(px).toFixed(1)} ${y(py).toFixed(1)}`;
        return one.step ? `H${x(px).toFixed(1)}V${y(py).toFixed(1)}` : `L${x(px).toFixed(1)} ${y(py).toFixed(1)}`;
      })
      .join("");
  const picture = s(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title, class: "plot" },
    ticks(0, top).map((value) => [
      s("line", { x1: PAD.left, x2: width - PAD.right, y1: y(value), y2: y(value), class: "grid" }),
      s("text", { x: PAD.left - 6, y: y(value) + 4, "text-anchor": "end" }, yFormat(value)),
    ]),
    ticks(left, right, 6).map((value) => s("text", { x: x(value), y: height - PAD.bottom + 16, "text-anchor": "middle" }, xFormat(value))),
    s("text", { x: width - PAD.right, y: height - 2, "text-anchor": "end", class: "axis" }, xWords),
    s("text", { x: 2, y: 10, class: "axis" }, yWords),
    marks.map((mark) => [
      s("line", { x1: x(mark.x), x2: x(mark.x), y1: PAD.top, y2: height - PAD.bottom, class: "mark" }),
      s("text", { x: x(mark.x) + 4, y: PAD.top + 10, class: "axis" }, mark.words),
    ]),
    series.map((one, n) => s("path", { d: path(one), class: `line line${n % 6}${one.strong ? " strong" : ""}` })),
  );
  const names = series.length > 1 ? h("ul", { class: "legend" }, series.map((one, n) => h("li", { class: `key${n % 6}` }, one.name))) : null;
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
