// Policies in words: what a version says as sentences, one rule's value as people say it, whose rules they are.

import { pair, say } from "../words.js";
import { KINDS, PARTS, SESSION_KINDS, TIERS, valueAt } from "./rules.js";

export const UNITS = [[86400, ["天", "days"]], [3600, ["小时", "hours"]], [60, ["分钟", "minutes"]], [1, ["秒", "seconds"]]];
const ONE = { days: "day", hours: "hour", minutes: "minute", seconds: "second" };

// Seconds, exactly, in the units that are easy to hold.
export function spanWords(seconds) {
  if (!seconds) return say("0 秒", "0 seconds");
  const told = [];
  let left = seconds;
  for (const [size, words] of UNITS) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count) told.push(say(`${count} ${words[0]}`, `${count} ${count === 1 ? ONE[words[1]] : words[1]}`));
  }
  return told.join(" ");
}

export const timeWords = (minute) => `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
const monthWords = (month) => say(`${Number(month.slice(0, 4))} 年 ${Number(month.slice(5))} 月`, month);
const listed = (words) => words.join(say("、", ", "));
const tierWords = (shares) => listed(Object.keys(TIERS).filter((tier) => shares[tier]).map((tier) => `${pair(TIERS[tier])} ${shares[tier]}%`));
const lendingWords = (rules) => listed(rules.map((one) => say(`${TIERS[one.from][0]}级余额截止前 ${one.days_before_close} 天起可给${one.to.map((tier) => TIERS[tier][0]).join("、")}级`, `what ${one.from} leaves goes to ${one.to.join(", ")} from ${one.days_before_close} days before the close`)));
export const shareWords = (value) => (typeof value === "number" ? say(`${value} 个号`, `${value} slots`) : String(value));

// One rule's value as people say it.
export function valueWords(one, value) {
  if (value === null || value === undefined || value === "") return say("无", "none");
  if (one.input === "span") return spanWords(value);
  if (one.input === "time") return timeWords(value);
  if (one.input === "yes") return value ? say("是", "yes") : say("否", "no");
  if (one.input === "choice") return pair(one.choices[value]?.[0]) || String(value);
  if (one.input === "share") return shareWords(value);
  if (one.input === "tiers") return tierWords(value);
  if (one.input === "lending") return value.length ? lendingWords(value) : say("无", "none");
  if (one.input === "months") return Object.keys(value).length ? listed(Object.entries(value).map(([month, places]) => `${monthWords(month)} ${places}`)) : say("无", "none");
  return one.unit ? `${value} ${pair(one.unit)}`.trim() : String(value);
}

const drawWords = (draw) => [
  say(
    `放号前 ${spanWords(draw.entry_window_s)}开始报名，到放号时截止，期间不分先后；每份报名最多 ${draw.wishes_max} 个志愿、${draw.people_max} 人同进退；中签后 ${spanWords(draw.confirm_s)}内确认。`,
    `Entries are taken for ${spanWords(draw.entry_window_s)} before the release, and within that time no moment counts; an entry has up to ${draw.wishes_max} wishes and ${draw.people_max} people, who win together; winners confirm within ${spanWords(draw.confirm_s)}.`,
  ),
  draw.witnesses || draw.beacon
    ? say(
        `抽签种子由${listed([draw.witnesses ? `${draw.witnesses} 个见证方` : null, draw.beacon ? `公共信标 ${draw.beacon}` : null].filter(Boolean))}共同决定。`,
        `The seed is made with ${listed([draw.witnesses ? `${draw.witnesses} witness${draw.witnesses > 1 ? "es" : ""}` : null, draw.beacon ? `the beacon ${draw.beacon}` : null].filter(Boolean))}.`,
      )
    : say("抽签种子由医院自己产生（事先公布承诺）。", "The hospital alone makes the seed, and commits to it beforehand."),
];

const waitWords = (wait) => {
  if (!wait.open) return say("不设候补。", "There is no waitlist.");
  const night = wait.quiet_from_min === wait.quiet_to_min ? say("夜间照常计时", "time runs at night too") : say(`${timeWords(wait.quiet_from_min)} 至 ${timeWords(wait.quiet_to_min)} 不计时`, `no time runs from ${timeWords(wait.quiet_from_min)} to ${timeWords(wait.quiet_to_min)}`);
  return say(
    `候补：每 ${spanWords(wait.batch_s)}一批，批内抽签定序；最多 ${wait.people_max} 人一同、每人 ${wait.waits_max} 个排班；发来的号保留 ${spanWords(wait.offer_s)}，就诊前 ${spanWords(wait.near_before_s)}内保留 ${spanWords(wait.offer_near_s)}；${night}；就诊前 ${spanWords(wait.closes_before_s)}截止。`,
    `Waitlist: batches of ${spanWords(wait.batch_s)}, each put in order by draw; up to ${wait.people_max} people together, ${wait.waits_max} sessions a person; an offer stands for ${spanWords(wait.offer_s)}, within ${spanWords(wait.near_before_s)} of the session for ${spanWords(wait.offer_near_s)}; ${night}; it closes ${spanWords(wait.closes_before_s)} before the session.`,
  );
};

const returnWords = (back) =>
  say(
    `退号：无人候补的，隔 ${spanWords(back.rest_least_s)}至 ${spanWords(back.rest_most_s)}，在随机时刻公开；`,
    `Returns that nobody waits for open between ${spanWords(back.rest_least_s)} and ${spanWords(back.rest_most_s)} later, at a moment left to chance; `,
  ) +
  (back.care_pool
    ? say(`当日退号先照顾老弱孕残，就诊前 ${spanWords(back.care_until_s)}转窗口。`, `same-day ones are first for the care pool, and go to the window ${spanWords(back.care_until_s)} before the session.`)
    : say("当日退号不另照顾。", "there is no care pool."));

function partWords(mixed) {
  const parts = Object.keys(PARTS).filter((name) => mixed.parts[name]);
  const rest = say("其余公开", "the rest is public");
  const merged = parts.filter((name) => name !== "draw").map((name) => say(`${PARTS[name][0]}就诊前 ${spanWords(mixed.merge_before_s[name])}`, `${PARTS[name][1]} ${spanWords(mixed.merge_before_s[name])}`));
  return [
    say(`分部分：${parts.map((name) => `${PARTS[name][0]} ${shareWords(mixed.parts[name])}`).join("，")}，${rest}。`, `In parts: ${parts.map((name) => `${PARTS[name][1]} ${shareWords(mixed.parts[name])}`).join(", ")}; ${rest}.`),
    merged.length ? say(`没用完的并入其余：${merged.join("，")}。`, `What is not used joins the others before the session: ${merged.join(", ")}.`) : null,
  ];
}

function releaseSentences(body) {
  const draws = body.kind === "draw" || (body.kind === "mixed" && body.mixed.parts.draw);
  return [
    body.kind === "mixed" ? null : say(`${KINDS[body.kind][0][0]}。`, `${KINDS[body.kind][0][1]}.`),
    ...(body.kind === "mixed" ? partWords(body.mixed) : []),
    ...(draws ? drawWords(body.draw) : []),
    waitWords(body.waitlist),
    returnWords(body.returns),
  ];
}

const block = (body, what, en, counted, within, blocked) =>
  body[counted] ? say(`${body[within]} 天内${what} ${body[counted]} 次，限制预约 ${body[blocked]} 天。`, `${body[counted]} ${en} within ${body[within]} days: no booking for ${body[blocked]} days.`) : say(`${what}不限制。`, `No block for ${en}.`);

const limitSentences = (body) => [
  say(
    `一人最多持有 ${body.live_per_person} 个未就诊预约；同一天 ${body.live_per_day} 个、同科同日 ${body.live_per_department_day} 个、一周 ${body.live_per_week} 个。`,
    `One person holds up to ${body.live_per_person} open bookings; ${body.live_per_day} a day, ${body.live_per_department_day} a day in one department, ${body.live_per_week} a week.`,
  ),
  body.cooling_after_return_s ? say(`退号后 ${spanWords(body.cooling_after_return_s)}内不能再约同一科室。`, `After a return no booking in that department for ${spanWords(body.cooling_after_return_s)}.`) : say("退号后没有冷静期。", "There is no cooling time after a return."),
  say(`就诊前不足 ${spanWords(body.late_return_before_s)}的退号算临近退号。`, `A return is late within ${spanWords(body.late_return_before_s)} of the session.`),
  block(body, "临近退号", "late returns", "late_returns_counted", "late_return_window_days", "late_return_block_days"),
  block(body, "占号不付", "unpaid holds", "unpaid_holds_counted", "unpaid_hold_window_days", "unpaid_hold_block_days"),
  block(body, "爽约", "no-shows", "no_shows_counted", "no_show_window_days", "no_show_block_days"),
  body.no_show_grace_s ? say(`排班结束 ${spanWords(body.no_show_grace_s)}后才算爽约。`, `Nobody is a no-show until ${spanWords(body.no_show_grace_s)} after the session’s end.`) : null,
];

const bindingSentences = (body) => [
  say(
    `一个账号最多绑定 ${body.max_patients_per_account} 位就诊人；前 ${body.bindings_without_cooling} 次不用等，此后每次等 ${spanWords(body.binding_cooling_s)}；绑定满 ${spanWords(body.hot_binding_age_s)}才能约热门号。`,
    `An account binds up to ${body.max_patients_per_account} patients; the first ${body.bindings_without_cooling} without a wait, then ${spanWords(body.binding_cooling_s)} each; a binding books hot sessions once it is ${spanWords(body.hot_binding_age_s)} old.`,
  ),
  say(`核验前可自行更正 ${body.max_owner_corrections} 次。`, `Before verification the account may correct ${body.max_owner_corrections} times.`),
  say(
    `未满 ${body.guardian_required_under_years} 岁须有监护人；每位儿童最多 ${body.max_guardians_per_child} 位监护人，每位监护人最多 ${body.max_children_per_guardian} 位儿童；未满 ${body.newborn_under_years} 岁可用户口簿页。`,
    `Under ${body.guardian_required_under_years} a guardian is needed; up to ${body.max_guardians_per_child} guardians a child and ${body.max_children_per_guardian} children a guardian; under ${body.newborn_under_years} a household register page will do.`,
  ),
];

const antenatalSentences = (body) => [
  say(`每个预产期月份 ${body.places.default} 个名额`, `${body.places.default} places a due month`) + (Object.keys(body.places.months).length ? say(`（${Object.entries(body.places.months).map(([month, places]) => `${monthWords(month)} ${places}`).join("、")}）`, ` (${Object.entries(body.places.months).map(([month, places]) => `${month}: ${places}`).join(", ")})`) : "") + say(`，全年 ${body.places.yearly} 个。`, `, ${body.places.yearly} a year.`),
  say(`按风险等级：${tierWords(body.tiers)}。`, `By risk tier: ${tierWords(body.tiers)}.`),
  body.lending.length ? `${lendingWords(body.lending)}${say("。", ".")}` : say("各级名额不调剂。", "No tier lends places."),
  say(
    `提前 ${body.publish.months_before} 个月，当月 ${body.publish.day} 日 ${timeWords(body.publish.minute)} 公布；申请窗口 ${spanWords(body.apply_window_s)}，窗口内不分先后；提前 ${body.close_months_before} 个月的月初截止。`,
    `Published ${body.publish.months_before} months before, on day ${body.publish.day} at ${timeWords(body.publish.minute)}; the entry window is ${spanWords(body.apply_window_s)}, within which no moment counts; it closes at the start of the month ${body.close_months_before} months before.`,
  ),
  say(`满 ${body.gestation_weeks.from} 至 ${body.gestation_weeks.to} 孕周可申请，${body.confirm_days} 天内携材料确认。`, `From week ${body.gestation_weeks.from} to ${body.gestation_weeks.to} women may apply; they come with their papers within ${body.confirm_days} days.`),
];

const SENTENCES = { release: releaseSentences, booking_limits: limitSentences, binding: bindingSentences, antenatal: antenatalSentences };

// A whole policy as sentences. null: there is none.
export function sentences(kind, body) {
  if (!body) return [say("尚无策略：不公布任何月份。", "There is no policy: no month is published.")];
  if (body.kind === "inherit") return [say("不设自己的策略，按更宽的范围执行。", "No policy of its own; the wider one rules.")];
  return SENTENCES[kind.startsWith("release:") ? "release" : kind](body).filter(Boolean);
}

// A policy in a few words, for a list.
export function briefly(body) {
  if (body.kind === "mixed") {
    return `${pair(KINDS.mixed[0])} · ${Object.keys(PARTS).filter((name) => valueAt(body, `mixed.parts.${name}`)).map((name) => `${pair(PARTS[name])} ${shareWords(body.mixed.parts[name])}`).join(say("，", ", "))}`;
  }
  const window = body.kind === "draw" ? ` · ${say(`报名 ${spanWords(body.draw.entry_window_s)}`, `entries ${spanWords(body.draw.entry_window_s)}`)}` : "";
  return `${pair(KINDS[body.kind][0])}${window}`;
}

// Whose rules: the name of a scope. named: {departments, doctors} by id.
export function scopeWords(kind, named) {
  if (!kind.startsWith("release:")) return { booking_limits: say("限额与处罚", "Limits and penalties"), binding: say("绑定", "Binding"), antenatal: say("产科建档", "Antenatal registration") }[kind] || kind;
  const [what, which] = kind.slice("release:".length).split(":");
  if (what === "everywhere") return say("全院", "The whole hospital");
  if (what === "kind") return say(`${SESSION_KINDS[which]?.[0] || which}（号别）`, `${SESSION_KINDS[which]?.[1] || which} sessions`);
  const found = (what === "doctor" ? named?.doctors : named?.departments)?.[which];
  return found ? say(found.zh, found.en || found.zh) : which;
}
