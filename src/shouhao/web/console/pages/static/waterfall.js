// How a score comes about: from the base rate, reason by reason, less what speaks for the subject, to the sum.

import { h, s } from "./dom.js";
import { LEVELS, allowances, both, figure, inFavour, odds, titled, weight } from "./finding_words.js";
import { say } from "./words.js";

const LEAST_REST = 0.005; // half of the last digit that is shown

// Rows whose weights add up to the score. {name, weight, kind: base|reason|allowance|speaks|rest, link?}
export function steps(finding) {
  const rows = [{ name: say("起点：基准率", "Start: base rate"), weight: finding.base, kind: "base" }];
  finding.reasons.forEach((term, n) => rows.push({ name: titled(term.name) || both(term.says), weight: term.weight, kind: "reason", number: n + 1, link: `#reason-${n + 1}` }));
  allowances(finding).forEach((term) => rows.push({ name: say("重叠折减", "Overlap, not counted twice"), says: both(term.says), weight: term.weight, kind: "allowance" }));
  inFavour(finding).forEach((term, n) => rows.push({ name: titled(term.name) || both(term.says), weight: term.weight, kind: "speaks", number: n + 1, link: `#speaks-${n + 1}` }));
  const rest = finding.score - rows.reduce((sum, row) => sum + row.weight, 0);
  if (Math.abs(rest) >= LEAST_REST) rows.push({ name: say("未列出", "Not told"), weight: rest, kind: "rest" });
  return rows;
}

// levelFrom: {level: score from which it is reached}
export function waterfall(finding, levelFrom) {
  const rows = steps(finding);
  const reached = [0];
  for (const row of rows) reached.push(reached.at(-1) + row.weight);
  const marks = Object.entries(levelFrom || {}).sort((a, b) => a[1] - b[1]);
  const low = Math.min(0, finding.score, ...reached, ...marks.map((mark) => mark[1])) - 1;
  const high = Math.max(0, finding.score, ...reached, ...marks.map((mark) => mark[1])) + 1;
  const x = (value) => (100 * (value - low)) / (high - low);
  const lines = () => [
    s("line", { x1: `${x(0)}%`, x2: `${x(0)}%`, y1: 0, y2: "100%", class: "zero" }),
    marks.map(([level, from]) => s("line", { x1: `${x(from)}%`, x2: `${x(from)}%`, y1: 0, y2: "100%", class: `level-line ${level}` })),
  ];
  const bar = (from, to, kind) => {
    const [left, right] = [x(Math.min(from, to)), x(Math.max(from, to))];
    return s(
      "svg",
      { class: "fall-bar", "aria-hidden": "true", height: 26 },
      lines(),
      s("line", { x1: `${x(from)}%`, x2: `${x(from)}%`, y1: 0, y2: 13, class: "step-line" }),
      s("rect", { x: `${left}%`, width: `${Math.max(0.4, right - left)}%`, y: 6, height: 14, rx: 2, class: kind }),
    );
  };
  const row = (one, from, to, kind) =>
    h(
      "li",
      { class: `fall-row ${kind}` },
      h("span", { class: "fall-name", title: one.says || null }, one.number ? h("b", { class: `no ${kind}` }, one.number) : null, one.link ? h("a", { href: one.link }, one.name) : one.name),
      bar(from, to, kind),
      h("span", { class: "fall-value" }, weight(one.weight)),
    );
  const heads = s(
    "svg",
    { class: "fall-bar", "aria-hidden": "true", height: 12 + 14 * marks.length },
    s("line", { x1: `${x(0)}%`, x2: `${x(0)}%`, y1: 8, y2: "100%", class: "zero" }),
    marks.map(([level, from], n) => [
      s("line", { x1: `${x(from)}%`, x2: `${x(from)}%`, y1: 2 + 14 * n, y2: "100%", class: `level-line ${level}` }),
      s("text", { x: `${x(from)}%`, dx: x(from) > 75 ? -4 : 4, y: 11 + 14 * n, "text-anchor": x(from) > 75 ? "end" : "start" }, `${say(...LEVELS[level])} ≥ ${figure(from)}`),
    ]),
  );
  return h(
    "figure",
    { class: "figure fall" },
    h("figcaption", {}, say("分数怎样得来（对数赔率）", "How the score comes about (log-odds)")),
    h("div", { class: "fall-row heads" }, h("span", {}, ""), heads, h("span", {}, "")),
    h(
      "ol",
      { class: "fall-rows" },
      rows.map((one, n) => row(one, reached[n], reached[n + 1], one.kind)),
      row({ name: say("合计", "Sum"), weight: finding.score }, 0, finding.score, "sum"),
    ),
    h(
      "p",
      { class: "soft" },
      say(
        `合计 ${weight(finding.score)}：在本方法的前提下，赔率${odds(finding.score)}。不是“有罪的概率”。强线索和确定模式还要求几种互不相干的成因，单凭分数到不了。`,
        `The sum is ${weight(finding.score)}: under the assumptions of the method, odds of ${odds(finding.score)}. It is no probability of guilt. Strong and certain patterns also ask for several independent causes; the score alone does not reach them.`,
      ),
    ),
  );
}

// One score on the common scale of a list.
export function scoreBar(score, { low, high, levelFrom }) {
  const x = (value) => Math.min(100, Math.max(0, (100 * (value - low)) / (high - low)));
  return s(
    "svg",
    { class: "score-bar", "aria-hidden": "true", height: 16 },
    s("rect", { x: 0, y: 4, width: "100%", height: 8, class: "track" }),
    s("rect", { x: 0, y: 4, width: `${x(score)}%`, height: 8, class: "value" }),
    Object.entries(levelFrom || {}).map(([level, from]) => s("line", { x1: `${x(from)}%`, x2: `${x(from)}%`, y1: 0, y2: 16, class: `level-line ${level}` })),
  );
}
