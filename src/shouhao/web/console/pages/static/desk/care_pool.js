// The care pool: places kept for people of 65 and older, disabled or pregnant; what is left, and giving one out.

import { get } from "../api.js";
import { h, refusal, show } from "../dom.js";
import { pair, say, whole } from "../words.js";
import { careOf } from "./care_proofs.js";
import { finder } from "./finder.js";
import { act } from "./sending.js";
import { VERIFICATIONS, doctorOf, halfOf } from "./words.js";

export async function carePool(place, { serves, told }) {
  const person = h("section", { class: "card", hidden: true });
  const pool = h("section", { "aria-live": "polite" });
  let chosen = null;
  let entitled = null;

  const row = ({ session: it, came, left, given, moved_on: moved, ends_at: ends }) =>
    h(
      "tr",
      {},
      h("td", {}, h("b", {}, `${halfOf(it)} ${it.starts_at.slice(11, 16)}`)),
      h("td", {}, doctorOf(it), h("div", { class: "soft" }, say(it.department_zh, it.department_en || it.department_zh))),
      h("td", { class: "num" }, h("b", {}, left)),
      h("td", { class: "num" }, given),
      h("td", { class: "num" }, moved),
      h("td", { class: "num" }, came),
      h("td", {}, whole(ends)),
      serves
        ? h("td", {}, chosen && left ? act(entitled ? say(`给 ${chosen.name}`, `Give to ${chosen.name}`) : say("无资格", "not entitled"), async (sending) => { const made = await sending("POST", "/bookings", { patient_id: chosen.patient_id, session_id: it.id, pool: "care" }); await again(say(`${chosen.name} 得到 ${made.number} 号，请到“窗口办理”收费取号。`, `No. ${made.number} for ${chosen.name}; take the fee under “Window”.`)); }, { kind: entitled ? "go" : "step", disabled: !entitled }) : h("span", { class: "soft" }, left ? say("先查找就诊人", "look up a patient first") : say("已无", "none left")))
        : null,
    );

  async function again(said = null) {
    try {
      const { sessions } = await get("/care-pool");
      const heads = [say("排班", "Session"), say("医生", "Doctor"), say("现余", "Left"), say("已给出", "Given"), say("到时转窗口", "Moved on"), say("共进入", "Came in"), say("保留到", "Kept until"), ...(serves ? [""] : [])];
      show(
        pool,
        said ? h("p", { class: "note", role: "status" }, said) : null,
        sessions.length
          ? h("div", { class: "scroll", tabindex: "0" }, h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), h("tbody", {}, sessions.map(row))))
          : h("p", { class: "empty" }, say("今天起没有进入照护号源的号。当天退号且无人候补时，号才进入这里。", "No place was kept from today on. One comes here when it is returned on its day and nobody waits.")),
      );
      told(sessions.reduce((sum, one) => sum + one.left, 0));
    } catch (error) {
      show(pool, refusal(error), h("button", { class: "step", onclick: () => again() }, say("重新载入", "Load again")));
    }
  }

  const choose = async (patient) => {
    chosen = patient;
    entitled = null;
    const care = careOf(patient, { changed: (papers) => { entitled = papers.ground; again(); } });
    show(person, h("h2", {}, patient.name, " ", h("span", { class: "code" }, patient.document_number), " ", h("span", { class: `tag ${patient.verification === "verified" ? "good" : "warn"}` }, pair(VERIFICATIONS[patient.verification]))), care.element);
    person.hidden = false;
    await care.begin();
  };
  const find = serves ? finder({ onfound: choose }) : null;
  show(
    place,
    h("p", { class: "soft" }, say("当天退回、无人候补的号，先留给 65 周岁及以上、残疾或怀孕的就诊人；到时仍无人要，转到窗口。", "Places returned on their day that nobody waits for are first kept for people of 65 and older, disabled or pregnant; then they go to the window.")),
    find ? find.element : null,
    person,
    pool,
  );
  await again();
  if (find) find.clear();
}
