// Finding a patient: by the paper on the counter or the phone they say. Neither ever stands in an address.

import { get, post } from "../api.js";
import { form, h, refusal, show } from "../dom.js";
import { pair, say } from "../words.js";
import { DOCUMENTS, VERIFICATIONS } from "./words.js";

const PHONE = /^(?:\+?86)?1\d{10}$/;

export const kindChoice = (name, chosen = "resident_id", properties = {}) =>
  h("select", { name, ...properties }, Object.entries(DOCUMENTS).map(([code, words]) => h("option", { value: code, selected: code === chosen }, pair(words))));

// onfound gets a patient; onunknown, where given, what was typed of somebody nobody knows.
export function finder({ onfound, onunknown = null, byPhone = true }) {
  const results = h("div", { class: "found", "aria-live": "polite" });
  const number = h("input", { name: "number", required: true, maxlength: "40", autocomplete: "off", autocapitalize: "characters", spellcheck: "false", "aria-label": byPhone ? say("证件号码或手机号", "Document number or phone") : say("证件号码", "Document number") });
  // What was typed does not stay on the screen once it is not needed.
  const found = (patient) => {
    show(results);
    number.value = "";
    onfound(patient);
  };
  const choose = async (patientId) => {
    show(results);
    try {
      found(await get(`/patients/${encodeURIComponent(patientId)}`));
    } catch (error) {
      show(results, refusal(error));
    }
  };
  const phone = async (typed) => {
    const { people, cut } = await post("/patients/look-up-by-phone", { phone: typed });
    if (people.length === 1) return choose(people[0].patient_id);
    show(
      results,
      people.length
        ? h("ul", { class: "people" }, people.map((one) => h("li", {}, h("button", { class: "person-row", onclick: () => choose(one.patient_id) }, h("b", {}, one.name), ` ${say(`${one.age_years} 岁`, `${one.age_years} y`)} `, h("span", { class: "code" }, one.document_number), ` ${pair(VERIFICATIONS[one.verification])}`))))
        : h("p", { class: "note warn" }, say("没有人登记过这个手机号。请用证件查找或登记。", "Nobody left this phone. Look up or register with the document.")),
      cut ? h("p", { class: "soft" }, say("还有更多，请用证件查找。", "There are more; use the document.")) : null,
    );
  };
  const look = async (fields) => {
    show(results);
    const typed = fields.number.replace(/[\s-]/g, "");
    if (byPhone && PHONE.test(typed)) return phone(typed);
    try {
      found(await post("/patients/look-up", { document_kind: fields.kind, document_number: fields.number.trim() }));
    } catch (error) {
      if (error.status !== 404 || !onunknown) throw error;
      show(
        results,
        h("div", { class: "note warn", role: "status" }, h("p", {}, say("没有这份证件的登记。", "Nobody is registered with this document.")), h("button", { class: "step", type: "button", onclick: () => { show(results); number.value = ""; onunknown({ kind: fields.kind, number: fields.number.trim() }); } }, say("登记为新就诊人", "Register a new patient"))),
      );
      results.querySelector("button").focus();
    }
  };
  const element = h(
    "div",
    { class: "finder" },
    form(
      { class: "filters", autocomplete: "off" },
      look,
      h("label", { class: "field" }, h("span", {}, say("证件", "Document")), kindChoice("kind")),
      h("label", { class: "field grow" }, h("span", {}, byPhone ? say("证件号码或手机号", "Document number or phone") : say("证件号码", "Document number")), number),
      h("button", { class: "go" }, say("查找", "Look up")),
    ),
    results,
  );
  const clear = () => {
    number.value = "";
    show(results);
    element.querySelectorAll("[role=alert]").forEach((one) => one.remove());
    number.focus();
  };
  return { element, clear };
}
