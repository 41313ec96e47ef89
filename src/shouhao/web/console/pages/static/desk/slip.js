// The slip a patient takes along: shown on the page, and alone on the paper when printed.

import { h } from "../dom.js";
import { clock, day, pair, say } from "../words.js";
import { BOOKINGS, MONEY, dayOf, halfOf, placeOf, yuan } from "./words.js";

const hospital = () => say(document.documentElement.dataset.hospitalZh, document.documentElement.dataset.hospitalEn);

function slip(patient, title, facts, notes) {
  const element = h(
    "section",
    { class: "card slip", "aria-label": title },
    h("p", { class: "slip-head" }, hospital(), " · ", title),
    h("dl", {}, facts.map(([name, value, strong]) => [h("dt", {}, name), h("dd", { class: strong ? "strong" : null }, value)])),
    notes.map((one) => h("p", { class: "soft" }, one)),
    h("p", { class: "soft" }, say("打印于 ", "Printed "), `${day(new Date())} ${clock(new Date())}`),
    h("div", { class: "steps screen-only" }, h("button", { class: "step", type: "button", onclick: () => globalThis.print() }, h("kbd", {}, "F8"), say("打印", "Print")), h("button", { class: "plain", type: "button", onclick: () => element.remove() }, say("收起", "Close"))),
  );
  return element;
}

const whose = (patient) => [say("就诊人", "Patient"), `${patient.name[0]}${"*".repeat(Math.min(2, Math.max(1, patient.name.length - 1)))} ${patient.document_number.slice(-4)}`];

export const bookingSlip = (patient, it) =>
  slip(
    patient,
    say("预约凭条", "Booking"),
    [
      [say("号序", "Number"), say(`第 ${it.number} 号`, `No. ${it.number}`), true],
      whose(patient),
      [say("科室医生", "Where"), placeOf(it)],
      [say("时间", "When"), `${halfOf(it)} ${it.starts_at.slice(11, 16)}–${it.ends_at.slice(11, 16)}`],
      [say("状态", "State"), pair(BOOKINGS[it.state])],
      [say("费用", "Fee"), it.fee_cents ? `${yuan(it.fee_cents)} ${pair(MONEY[it.money])}` : pair(MONEY.none)],
      [say("凭条号", "Code"), h("span", { class: "code" }, it.booking_id)],
    ],
    [it.state === "checked_in" ? say("已取号，请到诊室候诊，按号序就诊。", "Checked in: wait at the clinic, in the order of numbers.") : say("就诊当天凭证件原件到窗口或自助机取号。号不能转让。", "Check in on the day with the original document, at a window or kiosk. It cannot be passed on.")],
  );

export const entrySlip = (patient, it) =>
  slip(
    patient,
    say("抽签报名凭条", "Entry in a draw"),
    [
      whose(patient),
      [say("志愿", "Wishes"), it.wishes.map((wish, n) => h("div", {}, `${n + 1}. ${placeOf(wish)} ${halfOf(wish)}`))],
      [say("截止抽签", "Drawn after"), `${dayOf(it.closes_at.slice(0, 10))} ${it.closes_at.slice(11, 16)}`, true],
      [say("回执号", "Receipt"), h("span", { class: "code" }, it.entry_id)],
    ],
    [say("何时报名不影响机会。抽签后名单公布，凭回执号可自行核对。", "When it came carries no weight. The result is published; check it with the receipt.")],
  );

export const waitSlip = (patient, it) =>
  slip(
    patient,
    say("候补凭条", "Waitlist"),
    [
      whose(patient),
      [say("候补", "For"), `${placeOf(it)} ${halfOf(it)}`],
      [say("位置", "Place"), it.ahead === null ? say("同批加入者抽签排序后告知", "told once the batch is drawn") : say(`前面 ${it.ahead} 人`, `${it.ahead} before you`), true],
      [say("回执号", "Receipt"), h("span", { class: "code" }, it.entry_id)],
    ],
    [say("有人退号时按顺序发给候补的人；发号后请在时限内到窗口确认。", "Returned slots go in this order; accept at the window in time.")],
  );
