// Calibration as plots: missed against false, and false alarms a day by threshold. What is extrapolated is dashed.

import { h, table } from "../dom.js";
import { lines } from "../plot.js";
import { number, percent, say } from "../words.js";

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const raised = (power) => `${power < 0 ? "⁻" : ""}${[...String(Math.abs(power))].map((digit) => RAISED[digit]).join("")}`;

// A rate such as 2×10⁻⁵, and a power of ten alone as 10⁻⁵.
export function rate(value) {
  if (!value) return "0";
  const power = Math.floor(Math.log10(value) + 1e-9);
  const first = Number((value / 10 ** power).toPrecision(2));
  return `${first === 1 ? "" : `${first}×`}10${raised(power)}`;
}
const share = (value) => `${Number((100 * value).toPrecision(2))}%`;
const alarms = (value) => (value >= 1 ? number(Number(value.toPrecision(2))) : String(Number(value.toPrecision(2))));

// What is to be expected at a threshold: between two points straight in the logarithm, as thresholds are derived.
export function at(points, threshold) {
  const n = points.findIndex((point) => point.similarity_cos >= threshold - 1e-9);
  if (n < 0) return null;
  const after = points[n];
  const before = points[n - 1];
  if (!before || after.similarity_cos - threshold < 1e-9) return n || after.similarity_cos - threshold < 1e-9 ? after : null;
  const part = (threshold - before.similarity_cos) / (after.similarity_cos - before.similarity_cos);
  const between = (name) => {
    const [low, high] = [before[name], after[name]];
    if (low === null || high === null) return null;
    return low > 0 && high > 0 ? low * (high / low) ** part : low + part * (high - low);
  };
  return {
    similarity_cos: threshold,
    fmr: between("fmr"),
    fnmr: between("fnmr"),
    false_alarms_a_day: between("false_alarms_a_day"),
    extrapolated: after.extrapolated,
  };
}

// Counted and extrapolated as two lines that meet.
function parts(points, name) {
  const counted = points.filter((point) => !point.extrapolated);
  const beyond = points.filter((point) => point.extrapolated);
  const seam = counted.slice(-1);
  return [
    { name: name.counted, points: counted },
    beyond.length ? { name: name.beyond, points: [...seam, ...beyond], dashed: true, like: 1 } : null,
  ].filter(Boolean);
}
const drawn = (series, x, y) =>
  series
    .map((one) => ({ ...one, points: one.points.filter((point) => point[x] !== null && point[y] !== null).map((point) => [point[x], point[y]]) }))
    .filter((one) => one.points.length);

// Where every passage would be an alarm there is nothing to read.
function fromWhereItFalls(points) {
  const most = points[0].false_alarms_a_day;
  const falls = points.findIndex((point) => point.false_alarms_a_day < most);
  return falls > 0 ? points.slice(falls - 1) : points;
}

export function curvesShown(curve, standing, allowed) {
  const { points } = curve;
  if (!points.length) return h("p", { class: "note warn" }, say("此模型没有任何实测数据，不能推导阈值。先做校准。", "Nothing was ever measured of this pack. Calibrate it first."));
  const narrow = matchMedia("(max-width:40rem)").matches;
  const size = narrow ? { width: 350, height: 240 } : { width: 560, height: 270 };
  const inForce = standing.set ? at(points, standing.set.similarity_cos) : null;
  const names = {
    counted: curve.basis === "manifest" ? say("模型自述", "stated by the pack") : say("实测", "counted"),
    beyond: say("外推（虚线）", "extrapolated (dashed)"),
  };
  const series = parts(points, names);
  const moments = [
    standing.set ? { words: say("当前", "in force"), x: standing.set.similarity_cos, row: 0 } : null,
    standing.now ? { words: say("此刻推得", "derived now"), x: standing.now.threshold_cos, row: 1, quiet: true } : null,
  ].filter(Boolean);
  const missed = drawn(series, "fmr", "fnmr");
  const told = points.some((point) => point.fnmr > 0);
  return [
    h(
      "div",
      { class: "watch-curves" },
      told
        ? lines({
            ...size,
            title: say("DET：漏认与误认", "DET: missed against false"),
            series: missed,
            xWords: say("误匹配率（每次比对）→", "false match rate, each comparison →"),
            yWords: say("漏匹配率", "missed"),
            xFormat: rate,
            yFormat: share,
            xLog: true,
            yLog: true,
            marks: inForce ? [{ words: say("当前阈值", "in force"), x: inForce.fmr, row: Math.floor((size.height - 60) / 14) }] : [],
            dots: inForce && inForce.fnmr > 0 ? [{ x: inForce.fmr, y: inForce.fnmr, words: say("当前阈值", "in force") }] : [],
          })
        : h("p", { class: "note" }, say("没有实测漏匹配率，画不出 DET。", "No false non-match rate was counted; there is no DET.")),
      lines({
        ...size,
        title: say("每天误报随阈值的变化", "False alarms a day by threshold"),
        series: drawn(parts(fromWhereItFalls(points), names), "similarity_cos", "false_alarms_a_day"),
        xWords: say("阈值（相似度）→", "threshold (similarity) →"),
        yWords: say("每天误报", "false alarms a day"),
        yFormat: alarms,
        yLog: true,
        marks: moments,
        levels: [{ y: allowed, words: say(`预算 每天 ${allowed} 次`, `budget: ${allowed} a day`) }],
      }),
    ),
    readAloud(curve, standing, inForce),
  ];
}

// The same in words and numbers.
function readAloud(curve, standing, inForce) {
  const now = standing.now ? at(curve.points, standing.now.threshold_cos) : null;
  const row = (words, threshold, found) => [
    words,
    threshold.toFixed(4),
    found ? rate(found.fmr) : "—",
    found && found.fnmr !== null ? percent(found.fnmr, 1) : say("未实测", "not counted"),
    found ? alarms(found.false_alarms_a_day) : "—",
    found ? (found.extrapolated ? say("外推", "extrapolated") : say("范围内", "counted")) : say("超出已知范围", "beyond what is known"),
  ];
  const failed = curve.basis === "calibration" && !curve.tail_holds;
  return [
    table(
      ["", say("阈值", "Threshold"), say("误匹配率", "False match"), say("漏匹配率", "Missed"), say("每天误报", "False a day"), say("依据", "Rests on")],
      [
        standing.set ? row(say("当前", "In force"), standing.set.similarity_cos, inForce) : null,
        standing.now ? row(say("此刻推得", "Derived now"), standing.now.threshold_cos, now) : null,
      ].filter(Boolean),
      say("还没有阈值。", "There is no threshold yet."),
    ),
    h(
      "p",
      { class: "soft" },
      curve.basis === "calibration"
        ? say("依据：本院校准 ", "Rests on the hospital’s own calibration ")
        : say("依据：模型包自述，不是本院实测。", "Rests on what the pack says of itself, not on a measurement here."),
      curve.calibration_id ? h("span", { class: "code" }, curve.calibration_id) : null,
      say(
        `。能数清的最小误匹配率 ${rate(curve.smallest_fmr)}；更低的是外推${failed ? "，但拟合未通过检验，故不画" : ""}。`,
        `. Smallest rate that was counted: ${rate(curve.smallest_fmr)}; what lies below is extrapolated${failed ? ", but the fit did not hold and is not drawn" : ""}. `,
      ),
      say(
        `每天误报 = 误匹配率 × ${number(curve.list_size)} 张照片 × ${number(curve.passages_a_day)} 人次。`,
        `False alarms a day = false match rate × ${number(curve.list_size)} photographs × ${number(curve.passages_a_day)} passages.`,
      ),
    ),
  ];
}
