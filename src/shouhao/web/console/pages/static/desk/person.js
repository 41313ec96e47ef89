// The patient at the counter: who they are, masked; numbers in full with a reason; confirming, correcting, guardians.

import { get, post } from "../api.js";
import { field, form, h, show } from "../dom.js";
import { pair, say, whole } from "../words.js";
import { act, reasons, sender } from "./sending.js";
import { DOCUMENTS, FIELDS, SEXES, VERIFICATIONS, VERIFIERS } from "./words.js";

const FULL_FOR_MS = 60_000;
const LOOKS = [["与证件核对", "compare with the document"], ["就诊人要求核对", "the patient asks"], ["联系就诊人", "call the patient"]];
const SEEN = () => say("已核对本人与证件原件", "person and original document seen");
const byWhom = (it) => (it.verified_by ? ` · ${pair(VERIFIERS[it.verified_by]) || it.verified_by}` : "");

// What is told of a value where it is masked: the patient's own choice of what they say aloud decides.
const facts = (it, full) => [
  [say("证件", "Document"), [pair(DOCUMENTS[it.document_kind]), h("br"), h("span", { class: "digits" }, full ? full.document_number : it.document_number)]],
  [say("手机号", "Phone"), h("span", { class: "digits" }, full ? full.phone : it.phone)],
  [say("出生", "Born"), it.birth_day],
  [say("性别", "Sex"), pair(SEXES[it.sex]) || "—"],
  [say("线上账号", "Accounts"), it.accounts ? say(`${it.accounts} 个账号可代为预约`, `${it.accounts} may act for them`) : say("未绑定账号", "none")],
];

export function personCard(patient, { changed, find }) {
  const place = h("section", { class: "card person", "aria-label": say("就诊人", "Patient") });
  let full = null;
  let timer = 0;
  const mask = () => {
    clearTimeout(timer);
    full = null;
    draw();
  };

  function inFull() {
    if (full) return h("p", { class: "soft" }, say("1 分钟后自动遮盖。", "Masked again in a minute. "), h("button", { class: "plain", onclick: mask }, say("现在遮盖", "Mask now")));
    const { box, chips } = reasons(LOOKS.map(pair));
    return h(
      "details",
      { class: "in-full" },
      h("summary", {}, say("查看完整号码", "Numbers in full")),
      form(
        {},
        async (fields) => {
          full = await post(`/patients/${patient.patient_id}/numbers`, { reason: fields.reason });
          timer = setTimeout(() => place.isConnected && mask(), FULL_FOR_MS);
          draw();
        },
        chips,
        field(say("为什么要看（先留痕，后显示）", "Why (on record before it is shown)"), box),
        h("button", { class: "step" }, say("显示", "Show")),
      ),
    );
  }

  function verifying() {
    if (patient.verification === "verified") return null;
    return h(
      "div",
      { class: "note warn" },
      h("p", {}, patient.photo_waiting ? say("照片正在排队审核；本人带证件在此，可当面核验。", "A photo waits for review; with person and document here, confirm now.") : say("身份尚未核验，核验后才能预约。", "Not confirmed: needed before booking.")),
      act(say("已见本人与证件，核验通过", "Person and document seen: confirm"), async (sending) => changed(await sending("POST", `/patients/${patient.patient_id}/verification`, { reason: SEEN() }), say("已核验", "Confirmed")), { kind: "go verify" }),
    );
  }

  function correcting() {
    const values = { name: full ? full.name : patient.name, phone: full ? full.phone : patient.phone, birth_day: patient.birth_day, sex: patient.sex || "" };
    const editable = ["name", "phone", ...patient.editable];
    const { box, chips } = reasons([say("证件原件为证", "as the original document says"), say("录入有误", "typed wrongly"), say("更换手机号", "new phone")]);
    const before = h("b", {}, values.name);
    const input = h("div", {});
    const ask = (name) => {
      before.textContent = name === "sex" ? pair(SEXES[values.sex]) || "—" : values[name];
      const properties = { name: "value", required: true, maxlength: "64", autocomplete: "off", "aria-label": say("更正为", "Correct to") };
      show(input, name === "sex" ? h("select", properties, Object.entries(SEXES).map(([code, words]) => h("option", { value: code }, pair(words)))) : h("input", { ...properties, type: name === "birth_day" ? "date" : "text", inputmode: name === "phone" ? "tel" : null }));
    };
    const sending = sender();
    const choice = h("select", { name: "field", onchange: (event) => ask(event.target.value) }, editable.map((code) => h("option", { value: code }, pair(FIELDS[code]))));
    ask("name");
    return h(
      "details",
      { class: "correct" },
      h("summary", {}, say("更正", "Correct")),
      h("p", { class: "soft" }, say("只有窗口人员凭证件原件可更正；更正前后、理由和经办人永久保存。证件类型和号码不能更正：证件不同，就是另一份登记。", "Only the window, with the original. Before, after, why and by whom are kept for ever. The document itself is never corrected: another document is another registration.")),
      form(
        {},
        async (fields) => {
          const was = before.textContent;
          const after = await sending("PATCH", `/patients/${patient.patient_id}`, { field: fields.field, value: fields.value, reason: fields.reason });
          const now = fields.field === "sex" ? pair(SEXES[after.sex]) : after[fields.field];
          changed(after, `${pair(FIELDS[fields.field])}：${was} → ${now}`);
        },
        field(say("哪一项", "Which"), choice),
        h("p", { class: "before" }, say("现为 ", "Now "), before),
        h("div", { class: "field" }, h("span", { class: "label" }, say("更正为", "Correct to")), input),
        chips,
        field(say("理由", "Why"), box),
        h("button", { class: "step" }, say("更正", "Correct")),
      ),
      history(),
    );
  }

  function history() {
    const rows = h("div", {});
    const open = async (event) => {
      if (!event.target.open) return;
      const { edits } = await get(`/patients/${patient.patient_id}/edits`);
      const told = (one) => h("li", {}, h("b", {}, `${pair(FIELDS[one.field]) || one.field}：${one.before || "—"} → ${one.after || "—"}`), h("div", {}, one.reason), h("div", { class: "soft" }, `${whole(one.at)} ${one.staff || say("本人账号", "own account")}`));
      show(rows, edits.length ? h("ul", { class: "line" }, edits.map(told)) : h("p", { class: "empty" }, say("没有更正过。", "Never corrected.")));
    };
    return h("details", { ontoggle: open }, h("summary", {}, say("更正记录（遮盖）", "Earlier corrections, masked")), rows);
  }

  function guardians() {
    if (!patient.needs_guardian && !patient.guardians.length) return null;
    const one = (it) => {
      const { box, chips } = reasons([say("监护关系变更", "guardianship changed"), say("登记有误", "registered wrongly")]);
      const sending = sender();
      return h(
        "li",
        {},
        h("button", { class: "plain", onclick: () => find(it.patient_id) }, it.name),
        h("span", { class: "code" }, ` ${it.document_number}`),
        h(
          "details",
          { class: "sure" },
          h("summary", { class: "plain" }, say("解除", "Remove")),
          form({}, async (fields) => changed(await sending("POST", `/patients/${patient.patient_id}/guardians/${it.patient_id}/removal`, { reason: fields.reason }), say("已解除监护人", "Guardian removed")), chips, field(say("理由", "Why"), box), h("button", { class: "step" }, say("解除监护人", "Remove the guardian"))),
        ),
      );
    };
    return h("div", { class: "guardians" }, h("h3", {}, say("监护人", "Guardians")), patient.guardians.length ? h("ul", {}, patient.guardians.map(one)) : h("p", { class: "note warn" }, say("儿童尚无监护人。用“登记”再登记一次并填写监护人，即可加上。", "A child without a guardian: register again, with the guardian, to add one.")));
  }

  function draw() {
    show(
      place,
      h("h2", {}, full ? full.name : patient.name, " ", h("span", { class: `tag ${patient.verification === "verified" ? "good" : "warn"}` }, pair(VERIFICATIONS[patient.verification]), byWhom(patient))),
      patient.name_masked && !full ? h("p", { class: "soft" }, say("未出示证件：姓名也遮盖。", "No document shown: the name is masked too.")) : null,
      h("dl", {}, facts(patient, full).map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      verifying(),
      inFull(),
      guardians(),
      correcting(),
    );
  }
  draw();
  return place;
}
