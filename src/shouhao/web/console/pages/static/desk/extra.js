// Extra slots (加号): a doctor asks for a patient they see; beyond the daily cap somebody else decides.

import { get } from "../api.js";
import { field, form, h, refusal, show } from "../dom.js";
import { pair, say, whole } from "../words.js";
import { finder } from "./finder.js";
import { reasons, sender } from "./sending.js";
import { VERIFICATIONS, halfOf, placeOf } from "./words.js";

const STATES = { waiting: ["等待审批", "Waits"], granted: ["已加号", "Granted"], refused: ["未批准", "Refused"] };
const COMMON = [["病情需要，不宜再等", "cannot wait longer"], ["复诊取结果", "back with results"], ["外地患者，当日往返", "travelled from far"], ["手术后复查", "after surgery"]];

export async function extraSlots(place, { doctorId, decides, told }) {
  const asking = h("section", {});
  const mine = h("section", { "aria-live": "polite" });
  const queue = h("section", { "aria-live": "polite" });
  const guarded = async (where, read) => {
    try {
      await read();
    } catch (error) {
      show(where, refusal(error), h("button", { class: "step", onclick: () => guarded(where, read) }, say("重新载入", "Load again")));
    }
  };
  const about = (it) => [
    h("div", { class: "row-head" }, h("b", {}, `${halfOf(it)} ${it.starts_at.slice(11, 16)}`), h("span", {}, placeOf(it)), h("span", { class: `tag ${it.state === "granted" ? "good" : it.state === "waiting" ? "warn" : ""}` }, pair(STATES[it.state]))),
    h("p", {}, h("b", {}, it.patient.name), ` ${say(`${it.patient.age_years} 岁`, `${it.patient.age_years} y`)} `, h("span", { class: "code" }, it.patient.document_number), ` ${pair(VERIFICATIONS[it.patient.verification])}`),
    h("p", {}, say("理由：", "Why: "), it.reason),
  ];

  async function waiting(said = null) {
    const { requests } = await get("/extra-slots");
    told(requests.filter((it) => !it.mine).length);
    const one = (it) => {
      const sending = sender();
      return h(
        "article",
        { class: "card" },
        about(it),
        h("p", { class: "soft" }, `${it.requested_by_name} ${whole(it.created_at)} · `, say(`该医生当日已加 ${it.granted} 个，可自行加 ${it.daily_cap} 个`, `this doctor has ${it.granted} extra that day and may add ${it.daily_cap} alone`)),
        it.mine
          ? h("p", { class: "soft" }, say("您提出的申请须由他人审批。", "You asked for it: somebody else decides."))
          : form({}, async (fields) => { const made = await sending("POST", `/extra-slots/${it.request_id}/decision`, { approve: fields.approve === "yes" }); await waiting(made.booking ? say(`已加 ${made.booking.number} 号`, `No. ${made.booking.number} added`) : say("未批准", "Refused")); }, h("div", { class: "steps" }, h("button", { class: "step first", name: "approve", value: "yes" }, say("批准加号", "Approve")), h("button", { class: "step", name: "approve", value: "no" }, say("不批准", "Refuse")))),
      );
    };
    show(queue, h("h2", {}, say("等待审批的加号", "Extra slots that wait")), said ? h("p", { class: "note", role: "status" }, said) : null, requests.length ? requests.map(one) : h("p", { class: "empty" }, say("没有等待审批的加号。", "Nothing waits.")));
  }

  async function asked(said = null) {
    const { requests } = await get("/extra-slots/mine");
    show(mine, h("h2", {}, say("我申请的加号（30 天）", "What I asked for, 30 days")), said ? h("p", { class: "note", role: "status" }, said) : null, requests.length ? requests.map((it) => h("article", { class: "card" }, about(it), h("p", { class: "soft" }, whole(it.created_at), it.decided_by_name ? ` · ${it.decided_by_name} ${whole(it.decided_at)}` : ""))) : h("p", { class: "empty" }, say("还没有申请过。", "None yet.")));
  }

  async function ask() {
    const { sessions } = await get("/sessions", { doctor_id: doctorId });
    const own = sessions.filter((it) => it.state === "released" || it.state === "planned");
    if (!own.length) return show(asking, h("p", { class: "empty" }, say("您从今天起没有排班。", "You have no session from today on.")));
    const chosen = h("div", {});
    const choose = (patient) => {
      const { box, chips } = reasons(COMMON.map(pair));
      const sending = sender();
      show(
        chosen,
        form(
          { class: "card" },
          async (fields) => {
            const made = await sending("POST", "/extra-slots", { session_id: fields.session, patient_id: patient.patient_id, reason: fields.reason });
            show(chosen);
            find.clear();
            await asked(made.booking ? say(`已加 ${made.booking.number} 号`, `No. ${made.booking.number} added`) : say("已超过您当日可自行加号的数量，已送审批", "Beyond your daily cap: sent for approval"));
            if (decides) await waiting();
          },
          h("h3", {}, patient.name, " ", h("span", { class: "code" }, patient.document_number)),
          field(say("加到哪个排班", "Into which session"), h("select", { name: "session" }, own.map((it) => h("option", { value: it.id }, `${halfOf(it)} ${it.starts_at.slice(11, 16)} ${say(it.department_zh, it.department_en || it.department_zh)}`)))),
          chips,
          field(say("理由（至少 4 个字）", "Why, four characters at least"), box),
          h("button", { class: "go" }, say("申请加号", "Ask")),
        ),
      );
      chosen.querySelector("select").focus();
    };
    const find = finder({ onfound: choose, byPhone: false });
    show(asking, h("h2", {}, say("为面前的就诊人加号", "For the patient before you")), h("p", { class: "soft" }, say("只能加到本人的排班；同样的限约规则适用；超过每日上限由他人审批。", "Into your own sessions only; the same limits hold; beyond the daily cap somebody else decides.")), find.element, chosen);
  }

  show(place, doctorId ? [asking, mine] : null, decides ? queue : null);
  if (doctorId) await Promise.all([guarded(asking, ask), guarded(mine, asked)]);
  if (decides) await guarded(queue, waiting);
}
