// A dry run as plots: what moved, who got slots, the sessions that too many want, and what it does not tell.

import { h, s, table } from "../dom.js";
import { bars } from "../plot.js";
import { day, number, percent, say } from "../words.js";
import { PARTS } from "./rules.js";

const HALVES = { am: ["上午", "am"], pm: ["下午", "pm"], evening: ["晚间", "evening"] };
const SHORT = {
  chance: ["供不应求的排班，申请人得到号的比例", "Chance in contested sessions"],
  first_second: ["给了放号后 1 秒内申请的人", "Went to who asked within 1 s"],
  first_ten: ["给了放号后 10 秒内申请的人", "Went to who asked within 10 s"],
  served: ["得到过号的人", "People who got a slot"],
  again: ["原来得到、改后也得到", "Got one, and would again"],
  neither: ["改前改后都没有", "Nothing either way"],
  crowd: ["给了为 3 人及以上申请的账号", "Slots to accounts for 3 or more"],
  handed_on: ["退号按候补次序给出", "Returns handed down the waitlist"],
};
const SHARES = ["chance", "first_second", "first_ten"];
const COUNTS = ["served", "again", "neither", "crowd", "handed_on"];

// Two bars a row: as it was, and under the policy, unless they are said to be something else.
function twins(title, rows, format, keys = [say("当时", "as it was"), say("改后", "under this policy")]) {
  const top = Math.max(...rows.flatMap((row) => [row.was || 0, row.then || 0]), 1e-9);
  const bar = (value, kind) =>
    s("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", class: "bar", "aria-hidden": "true" }, value === null ? null : s("rect", { width: Math.max(0.5, (100 * value) / top), height: 10, class: kind }));
  const told = (value) => (value === null ? "—" : format(value));
  return h(
    "figure",
    { class: "figure" },
    h("figcaption", {}, title),
    h("ul", { class: "twins" }, rows.map((row) => h("li", {}, h("span", { class: "twin-name" }, row.name), h("span", { class: "twin-bars" }, bar(row.was, "was"), bar(row.then, "then")), h("span", { class: "twin-values" }, h("span", {}, told(row.was)), h("b", {}, told(row.then)))))),
    h("ul", { class: "legend twin-legend" }, h("li", { class: "key-was" }, keys[0]), h("li", { class: "key-then" }, keys[1])),
  );
}

const nameOf = (one) => `${say(one.doctor_zh || one.department_zh, one.doctor_en || one.doctor_zh || one.department_en)} ${day(`${one.day}T12:00:00+08:00`)} ${HALVES[one.half] ? say(...HALVES[one.half]) : one.half}`;

export function dryRunShown(run) {
  if (!run.sessions) return h("p", { class: "note warn" }, say("这段时间里没有可试算的排班。", "There are no sessions of that time to try it on."));
  const figures = Object.fromEntries(run.figures.map((one) => [one.code, one]));
  const row = (code) => ({ name: say(...SHORT[code]), was: figures[code].as_it_was, then: figures[code].under_policy });
  const present = (codes) => codes.filter((code) => figures[code] && !(figures[code].as_it_was === null && figures[code].under_policy === null));
  const fact = (code) => figures[code]?.as_it_was ?? figures[code]?.under_policy ?? 0;
  const small = figures.too_small?.under_policy;
  return h(
    "div",
    { class: "dry-run" },
    h("p", { class: "soft" }, say(
      `用 ${day(run.from_at)} 至 ${day(run.to_at)} 的 ${number(run.sessions)} 个排班、${number(fact("seats"))} 个号、${number(fact("asked"))} 位申请人重新放一遍${run.runs > 1 ? `，抽签取 ${run.runs} 次的平均` : ""}。不保存任何内容。`,
      `${number(run.sessions)} sessions, ${number(fact("seats"))} slots and ${number(fact("asked"))} people from ${day(run.from_at)} to ${day(run.to_at)}, given out again${run.runs > 1 ? `; draws are means over ${run.runs}` : ""}. Nothing is kept.`,
    )),
    run.cut ? h("p", { class: "note warn" }, say("需求太多，只试算了其中一部分排班。", "There was too much demand; only some of the sessions were tried.")) : null,
    small ? h("p", { class: "note warn" }, say(`${number(small)} 个排班的号不够分成这些部分，试算时按比例缩小。`, `${number(small)} sessions are too small for the parts; here the parts shrink in proportion.`)) : null,
    h(
      "div",
      { class: "grid2" },
      present(SHARES).length ? twins(say("快慢与机会", "Speed and chance"), present(SHARES).map(row), (value) => percent(value)) : null,
      present(COUNTS).length ? twins(say("号给了谁", "Who got slots"), present(COUNTS).map(row), (value) => number(Math.round(value))) : null,
      run.parts.length > 1
        ? twins(say("各部分的号，与其中有人要的", "Slots of each part, and how many were asked for"), run.parts.map((one) => ({ name: one.part === "public" ? say("公开", "public") : say(...PARTS[one.part]), was: one.asked_for, then: one.seats })), number, [say("有人以该方式申请", "asked for that way"), say("拨给该部分", "set apart")])
        : null,
      run.contested.length ? bars({ title: say("最紧张的排班：改后每位申请人的机会", "The tightest sessions: the chance of each who asked"), rows: run.contested.slice(0, 8).map((one) => ({ name: nameOf(one), value: one.chance, bad: one.chance < 0.2 })), format: (value) => percent(value) }) : null,
    ),
    run.contested.length
      ? h("details", {}, h("summary", {}, say(`供不应求的排班（${run.contested.length}）`, `Contested sessions (${run.contested.length})`)), table([say("排班", "Session"), say("号", "Slots"), say("申请人", "Asked"), say("当时得到", "Got one"), say("改后机会", "Chance")], run.contested.map((one) => [nameOf(one), number(one.seats), number(one.asked), number(one.got), percent(one.chance)]), ""))
      : h("p", { class: "soft" }, say("没有供不应求的排班。", "No session was contested.")),
    h("details", {}, h("summary", {}, say("每个数字是什么", "What each figure is")), h("dl", {}, run.figures.filter((one) => SHORT[one.code]).map((one) => [h("dt", {}, say(...SHORT[one.code])), h("dd", {}, say(one.zh, one.en))]))),
    h("div", { class: "note warn" }, h("p", {}, h("b", {}, say("试算不能说明的", "What it does not tell"))), h("ul", {}, run.limits.map((one) => h("li", {}, say(one.zh, one.en))))),
  );
}

const STATES = { open: ["申请中", "open"], drawn: ["已抽签", "drawn"], closed: ["已截止", "closed"], over: ["已结束", "over"] };

// The coming due months under an antenatal policy.
export function monthsShown(months) {
  return h(
    "div",
    { class: "dry-run" },
    bars({ title: say("各预产期月份的名额（含已结转）", "Places of each due month, with what is carried"), rows: months.map((one) => ({ name: one.state === "planned" ? one.month : `${one.month} ${STATES[one.state] ? say(...STATES[one.state]) : one.state}`, value: one.places, bad: one.places === 0 })), format: number }),
    h("p", { class: "note" }, say("已公布的月份保持公布时的规则；未公布的按这份内容。", "A published month keeps its rules; those to come follow this.")),
  );
}
