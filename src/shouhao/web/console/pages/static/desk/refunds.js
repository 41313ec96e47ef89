// Refunds that wait at the window: what was taken by hand is given back by hand.

import { get } from "../api.js";
import { h, refusal, show, table } from "../dom.js";
import { say } from "../words.js";
import { act } from "./sending.js";
import { halfOf, placeOf, yuan } from "./words.js";

export async function refunds(place, { told }) {
  async function again(said = null) {
    try {
      const { refunds: found, cut } = await get("/refunds");
      show(
        place,
        h("p", { class: "soft" }, say("窗口收的费用在窗口退；线上支付的由系统原路退回，不在这里。", "What was taken here is given back here; what was paid online goes back by itself.")),
        said ? h("p", { class: "note", role: "status" }, said) : null,
        table(
          [say("就诊人", "Patient"), say("退的号", "Slot"), say("金额", "Amount"), say("预约号", "Booking"), ""],
          found.map((it) => [h("b", {}, it.name), [`${halfOf(it)} ${say(`${it.number} 号`, `No. ${it.number}`)}`, h("div", { class: "soft" }, placeOf(it))], yuan(it.amount_cents), h("span", { class: "code" }, it.booking_id), act(say("已退还", "Given back"), async (sending) => { await sending("POST", `/bookings/${it.booking_id}/refund`); await again(say(`已退 ${yuan(it.amount_cents)}`, `${yuan(it.amount_cents)} given back`)); })]),
          say("没有等待退还的费用。", "Nothing waits to be given back."),
        ),
        cut ? h("p", { class: "soft" }, say("还有更多。", "There are more.")) : null,
      );
      told(found.length);
    } catch (error) {
      show(place, refusal(error), h("button", { class: "step", onclick: () => again() }, say("重新载入", "Load again")));
    }
  }
  await again();
}
