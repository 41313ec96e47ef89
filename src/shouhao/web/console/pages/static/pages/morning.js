// The morning: what today's releases come to as they go. It looks again every few seconds while it is seen.

import { get } from "../api.js";
import { h, refusal, show, table } from "../dom.js";
import { bars, lines } from "../plot.js";
import { clock, lasting, minute, number, percent, say } from "../words.js";

const EVERY_MS = 4000;
const HALVES = { am: ["上午", "morning"], pm: ["下午", "afternoon"], evening: ["晚间", "evening"] };
const WHY = {
  "booking.sold_out": ["已约满", "sold out"],
  "booking.slot_taken": ["该号已被约", "slot taken"],
  "booking.limit_reached": ["超过限额", "limit reached"],
  "booking.restricted": ["处于限制期", "restricted"],
  "booking.already_booked": ["已有本排班的号", "holds one already"],
  "booking.binding_too_new": ["绑定时间不足", "binding too new"],
  "booking.session_not_released": ["尚未放号", "not released yet"],
  "booking.draw_not_open": ["不在报名时间", "entries closed"],
  "booking.duplicate_entry": ["重复报名", "entered twice"],
  "patients.not_verified": ["身份未核验", "not verified"],
  "patients.not_bound": ["未绑定就诊人", "not bound"],
};
const why = (code) => (WHY[code] ? say(WHY[code][0], WHY[code][1]) : code);
const nameOf = (one) => `${say(one.doctor_zh || one.department_zh, one.doctor_en || one.doctor_zh || one.department_en)} ${one.day.slice(5)} ${HALVES[one.half] ? say(...HALVES[one.half]) : one.half}`;
const CURVES = 6; // more than the eye can tell apart

export async function page(place) {
  const draw = async () => {
    const seen = await get("/morning");
    const released = seen.sessions.filter((one) => one.released_at);
    const slots = released.reduce((sum, one) => sum + one.capacity, 0);
    const free = released.reduce((sum, one) => sum + one.free, 0);
    // A draw gives everything out at once: how fast is asked of what the quickest get.
    const raced = released.filter((one) => !one.draw_id);
    const hot = raced.filter((one) => one.gone_after_s !== null).sort((a, b) => a.gone_after_s - b.gone_after_s);
    const curves = [...hot.slice(0, CURVES), ...raced.filter((one) => one.gone_after_s === null && one.curve.length > 1)].slice(0, CURVES);
    const refused = Object.entries(seen.refused).sort((a, b) => b[1] - a[1]).slice(0, 10);
    const waiting = seen.sessions.filter((one) => one.waiting).sort((a, b) => b.waiting - a.waiting).slice(0, 8);
    // Curves end where the last slot went: on one axis, in the unit of the slowest that is shown.
    const longest = Math.max(1, ...curves.flatMap((one) => one.curve.map((point) => point.after_s)));
    const unit = longest > 7200 ? [3600, say("小时", "hours")] : longest > 180 ? [60, say("分", "minutes")] : [1, say("秒", "seconds")];
    show(
      place,
      h("h1", {}, say("今日放号", "This morning’s releases"), " ", h("span", { class: "soft" }, clock(seen.now))),
      h(
        "div",
        { class: "numbers" },
        [
          [number(released.length), say(`个排班已放号，共 ${seen.sessions.length} 个`, `sessions released, of ${seen.sessions.length}`)],
          [`${number(slots - free)} / ${number(slots)}`, say("个号已有主", "slots taken")],
          [number(seen.events.draw_entered || 0), say("次抽签报名", "entries into draws")],
          [number(seen.events.booked || 0), say("次预约", "bookings")],
          [number(seen.events.refused || 0), say("次拒绝", "refusals")],
          [number((seen.events.cancelled || 0) + (seen.events.expired || 0)), say("次退号或未付", "returned or unpaid")],
          [number(seen.events.offered || 0), say("次发给候补", "offered on")],
        ].map(([value, words]) => h("div", {}, h("b", {}, value), h("span", {}, words))),
      ),
      !seen.sessions.length ? h("p", { class: "note" }, say("今天没有放号。", "Nothing is released today.")) : null,
      h(
        "div",
        { class: "grid2" },
        curves.length
          ? lines({
              title: say("放出后多久被约走（占放出的号）", "How fast slots went after the release (share of what was released)"),
              series: curves.map((one) => ({ name: nameOf(one), step: true, points: one.curve.map((point) => [point.after_s / unit[0], one.capacity ? point.taken / one.capacity : 0]) })),
              xWords: say(`放号后（${unit[1]}）`, `after the release (${unit[1]})`),
              yWords: "",
              yFormat: (value) => percent(value),
            })
          : null,
        refused.length ? bars({ title: say("为什么被拒绝", "Why people were refused"), rows: refused.map(([code, count]) => ({ name: why(code), value: count, bad: code === "booking.sold_out" })), format: number }) : null,
        hot.length ? bars({ title: say("热门：九成被约走用了多久", "Hot: how long until nine in ten were gone"), rows: hot.slice(0, 8).map((one) => ({ name: nameOf(one), value: one.gone_after_s, bad: one.gone_after_s < 10 })), format: lasting }) : null,
        waiting.length ? bars({ title: say("候补人数", "Waiting"), rows: waiting.map((one) => ({ name: nameOf(one), value: one.waiting })), format: number }) : null,
      ),
      table(
        [say("排班", "Session"), say("科室", "Department"), say("放号", "Release"), say("号", "Slots"), say("余", "Free"), say("报名", "Entries"), say("预约", "Booked"), say("拒绝", "Refused"), say("候补", "Waiting"), say("九成约走", "90 % gone")],
        seen.sessions.map((one) => [
          h("span", {}, h("b", {}, nameOf(one)), one.hot ? h("span", { class: "tag warn" }, say("热门", "hot")) : null),
          say(one.department_zh, one.department_en),
          one.released_at ? minute(one.released_at) : h("span", { class: "soft" }, minute(one.release_at), say(" 待放", " to come")),
          number(one.capacity),
          number(one.free),
          one.draw_id ? number(one.entries) : "—",
          number(one.events.booked || 0),
          number(one.events.refused || 0),
          number(one.waiting),
          one.draw_id ? say("抽签", "by draw") : one.gone_after_s === null ? "—" : h("span", { class: one.gone_after_s < 10 ? "tag bad" : "" }, lasting(one.gone_after_s)),
        ]),
        say("今天没有放号。", "Nothing is released today."),
      ),
    );
  };
  await draw();
  let told = null;
  setInterval(async () => {
    if (document.visibilityState !== "visible") return;
    try {
      await draw();
      told = null;
    } catch (error) {
      if (!told) place.prepend((told = refusal(error)));
    }
  }, EVERY_MS);
}
