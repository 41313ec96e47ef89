// What the patient has: bookings with their next step first, entries in draws, places on waitlists.

import { get } from "../api.js";
import { field, form, h, refusal, show } from "../dom.js";
import { pair, say, whole } from "../words.js";
import { act, actTwice, sender } from "./sending.js";
import { bookingSlip, entrySlip, waitSlip } from "./slip.js";
import { BOOKINGS, CHANNELS, ENTRIES, MONEY, WAITS, halfOf, placeOf, yuan } from "./words.js";

const LIVE = ["offered", "held", "booked", "checked_in"];
const tone = { offered: "warn", held: "warn", booked: "good", checked_in: "good" };

export function heldOf(patient) {
  const place = h("section", { class: "held", "aria-live": "polite" }, h("p", { class: "empty" }, say("正在载入…", "Loading…")));
  const slips = h("div", { class: "slips" });

  // After an act the next likely one has the focus, so that a hand stays on the keyboard.
  async function again({ focus = null, told = null } = {}) {
    let all;
    try {
      all = await get(`/patients/${patient.patient_id}/places`);
    } catch (error) {
      show(place, refusal(error), h("button", { class: "step", onclick: () => again() }, say("重新载入", "Load again")));
      return;
    }
    draw(all, told);
    if (focus) {
      const mine = place.querySelector(`[data-booking="${focus}"] .next button, [data-booking="${focus}"] .print`);
      if (mine) mine.focus();
    }
  }

  const print = (made) => {
    show(slips, made);
    slips.scrollIntoView({ block: "nearest" });
    slips.querySelector("button").focus();
  };
  const step = (it, words, path, body, kind = "step", told = null) =>
    h("div", { class: "next" }, act(words, async (sending) => { await sending("POST", `/bookings/${it.booking_id}/${path}`, body); await again({ focus: it.booking_id, told }); }, { kind }));

  function paying(it) {
    const sending = sender();
    return h(
      "div",
      { class: "next" },
      form(
        { class: "filters pay" },
        async (fields) => {
          await sending("POST", `/bookings/${it.booking_id}/payment`, { receipt: fields.receipt || null });
          await again({ focus: it.booking_id, told: say(`已收 ${yuan(it.fee_cents)}`, `${yuan(it.fee_cents)} taken`) });
        },
        h("button", { class: "go" }, say(`收费 ${yuan(it.fee_cents)}`, `Take ${yuan(it.fee_cents)}`)),
        field(say("收据号（可不填）", "Receipt no. (may be empty)"), h("input", { name: "receipt", maxlength: "64", pattern: "[A-Za-z0-9_.:\\-]*" })),
      ),
    );
  }

  function bookingCard(it, today) {
    const live = LIVE.includes(it.state);
    const owes = live && it.money === "unpaid" && it.state !== "offered";
    return h(
      "article",
      { class: `row-card ${live ? "" : "past"}`, "data-booking": it.booking_id },
      h("div", { class: "row-head" }, h("b", { class: "number" }, say(`${it.number} 号`, `No. ${it.number}`)), h("span", {}, h("b", {}, `${halfOf(it)} ${it.starts_at.slice(11, 16)}`), ` ${placeOf(it)}`), h("span", { class: `tag ${tone[it.state] || ""}` }, pair(BOOKINGS[it.state])), it.extra ? h("span", { class: "tag" }, say("加号", "extra")) : null, h("span", { class: `tag ${it.money === "unpaid" && live ? "warn" : ""}` }, it.fee_cents ? `${yuan(it.fee_cents)} ` : "", pair(MONEY[it.money]))),
      it.hold_expires_at ? h("p", { class: "soft" }, it.state === "offered" ? say("请在 ", "Accept by ") : say("请在 ", "Pay by "), whole(it.hold_expires_at), it.state === "offered" ? say(" 前确认，逾期发给下一位。", ", or it goes to the next.") : say(" 前收费，逾期自动释放。", ", or it is let go.")) : null,
      it.together ? h("p", { class: "soft" }, say("与他人一同得到：确认和收费一并办理。", "Got together with others: accepted and paid together.")) : null,
      it.state === "offered" ? step(it, say("确认要这个号", "Accept"), "accept", undefined, "go", say("已确认", "Accepted")) : null,
      owes ? paying(it) : null,
      it.state === "booked" && it.day === today && !owes ? step(it, say("取号", "Check in"), "check-in", undefined, "go", say("已取号", "Checked in")) : null,
      it.refund_here_cents ? step(it, say(`退还 ${yuan(it.refund_here_cents)}`, `Give ${yuan(it.refund_here_cents)} back`), "refund", undefined, "go", say("已退费", "Given back")) : null,
      live
        ? h(
            "div",
            { class: "row-foot" },
            h("button", { class: "plain print", type: "button", onclick: () => print(bookingSlip(patient, it)) }, say("凭条", "Slip")),
            it.state === "checked_in" ? null : actTwice(it.state === "offered" ? say("不要", "Decline") : say("退号", "Return"), say("退号后按候补顺序发给下一位，不能撤回。", "It goes to the next in line and cannot be taken back."), say("确认退号", "Return it"), async (sending) => { await sending("POST", `/bookings/${it.booking_id}/return`); await again({ focus: it.booking_id, told: say("已退号", "Returned") }); }),
            h("span", { class: "soft" }, pair(CHANNELS[it.channel]) || it.channel),
          )
        : null,
    );
  }

  const entryCard = (it) =>
    h(
      "article",
      { class: "row-card" },
      h("div", { class: "row-head" }, h("b", {}, say("抽签", "Draw")), h("span", {}, it.wishes.map((wish) => `${halfOf(wish)} ${placeOf(wish)}`).join(say("；", "; "))), h("span", { class: `tag ${it.state === "won" ? "good" : ""}` }, pair(ENTRIES[it.state])), it.place ? h("span", { class: "soft" }, say(`第 ${it.place} 位，共 ${it.entries} 份`, `place ${it.place} of ${it.entries}`)) : null),
      it.open ? h("p", { class: "soft" }, say("截止抽签 ", "Drawn after "), whole(it.closes_at)) : null,
      h("div", { class: "row-foot" }, h("button", { class: "plain", type: "button", onclick: () => print(entrySlip(patient, it)) }, say("凭条", "Slip")), it.open ? actTwice(say("撤回", "Withdraw"), say("截止前可再次报名。", "One may enter again before the close."), say("确认撤回", "Withdraw it"), async (sending) => { await sending("POST", `/entries/${it.entry_id}/withdraw`); await again({ told: say("已撤回", "Withdrawn") }); }) : null),
    );

  const waitCard = (it) =>
    h(
      "article",
      { class: "row-card" },
      h("div", { class: "row-head" }, h("b", {}, say("候补", "Waitlist")), h("span", {}, `${halfOf(it)} ${placeOf(it)}`), h("span", { class: "tag" }, pair(WAITS[it.state])), h("span", { class: "soft" }, it.state === "waiting" ? say(`前面 ${it.ahead} 人`, `${it.ahead} before them`) : it.state === "batch" ? say(`${whole(it.drawn_at)} 抽签排序`, `order drawn ${whole(it.drawn_at)}`) : "")),
      ["batch", "waiting"].includes(it.state)
        ? h("div", { class: "row-foot" }, h("button", { class: "plain", type: "button", onclick: () => print(waitSlip(patient, it)) }, say("凭条", "Slip")), actTwice(say("退出候补", "Leave"), say("退出后重新候补须重新排序。", "Joining again means a new place."), say("确认退出", "Leave it"), async (sending) => { await sending("POST", it.wait_id ? `/waits/${it.wait_id}/leave` : `/entries/${it.entry_id}/withdraw`); await again({ told: say("已退出候补", "Left") }); }))
        : null,
    );

  function draw({ now, bookings, entries, waits }, told) {
    const card = (it) => bookingCard(it, now.slice(0, 10));
    const open = (it) => LIVE.includes(it.state) || it.refund_here_cents > 0;
    const live = [...bookings.filter(open).map(card), ...entries.filter((it) => it.open).map(entryCard), ...waits.filter((it) => ["batch", "waiting", "offered"].includes(it.state)).map(waitCard)];
    const past = [...bookings.filter((it) => !open(it)).map(card), ...entries.filter((it) => !it.open).map(entryCard), ...waits.filter((it) => !["batch", "waiting", "offered"].includes(it.state)).map(waitCard)];
    show(
      place,
      h("h2", {}, say("现有的号", "What they have")),
      told ? h("p", { class: "note", role: "status" }, told) : null,
      live.length ? live : h("p", { class: "empty" }, say("没有有效的预约、抽签或候补。", "No live booking, draw or wait.")),
      past.length ? h("details", {}, h("summary", {}, say(`过去的 ${past.length} 条`, `${past.length} past`)), past) : null,
      slips,
    );
  }
  return { element: place, again, print: () => slips.querySelector(".slip button")?.click() };
}
