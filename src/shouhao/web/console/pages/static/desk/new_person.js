// Registering somebody who stands at the counter: document, phone, and whoever answers for a child.

import { post } from "../api.js";
import { field, form, h, show } from "../dom.js";
import { pair, say } from "../words.js";
import { kindChoice } from "./finder.js";
import { sender } from "./sending.js";
import { SEXES } from "./words.js";

const SAYS_ALL = ["resident_id"];

export function newPerson({ kind, number }, { done, cancel }) {
  const sending = sender();
  const more = h("div", { class: "grid2" });
  const askMore = (chosen) =>
    show(
      more,
      SAYS_ALL.includes(chosen)
        ? null
        : [
            field(say("出生日期", "Birth day"), h("input", { name: "birth_day", type: "date", required: chosen !== "permanent_residence_card" })),
            field(say("性别", "Sex"), h("select", { name: "sex" }, h("option", { value: "" }, "—"), Object.entries(SEXES).map(([code, words]) => h("option", { value: code }, pair(words))))),
          ],
    );
  const register = async (fields) => {
    let guardian = null;
    if (fields.guardian_number) {
      try {
        guardian = (await post("/patients/look-up", { document_kind: fields.guardian_kind, document_number: fields.guardian_number.trim() })).patient_id;
      } catch (error) {
        if (error.status === 404) error.message = say("监护人尚未登记：请先登记监护人，再登记孩子。", "The guardian is not registered: register the guardian first.");
        throw error;
      }
    }
    done(
      await sending("POST", "/patients", {
        name: fields.name,
        document_kind: fields.kind,
        document_number: fields.number,
        phone: fields.phone,
        birth_day: fields.birth_day || null,
        sex: fields.sex || null,
        guardian_patient_id: guardian,
        reason: fields.reason,
      }),
    );
  };
  askMore(kind);
  const name = h("input", { name: "name", required: true, maxlength: "64", autocomplete: "off" });
  const element = h(
    "section",
    { class: "card new-person" },
    h("h2", {}, say("登记新就诊人", "Register a new patient")),
    h("p", { class: "soft" }, say("请核对本人与证件原件；登记即视为已当面核验。证件已登记过的，会找到原来的就诊人。", "See the person and the original: registering confirms them. A known document finds the same patient again.")),
    form(
      { autocomplete: "off" },
      register,
      h(
        "div",
        { class: "grid2" },
        field(say("姓名", "Name"), name),
        field(say("手机号", "Phone"), h("input", { name: "phone", required: true, inputmode: "tel", maxlength: "24", autocomplete: "off" })),
        field(say("证件", "Document"), kindChoice("kind", kind, { onchange: (event) => askMore(event.target.value) })),
        field(say("证件号码", "Its number"), h("input", { name: "number", required: true, maxlength: "40", value: number, autocomplete: "off" })),
      ),
      more,
      h(
        "details",
        {},
        h("summary", {}, say("为儿童登记监护人", "A child’s guardian")),
        h("p", { class: "soft" }, say("监护人须是已登记、已核验的成年人。", "An adult who is registered and confirmed.")),
        h("div", { class: "grid2" }, field(say("监护人证件", "Guardian’s document"), kindChoice("guardian_kind")), field(say("监护人证件号码", "Guardian’s number"), h("input", { name: "guardian_number", maxlength: "40", autocomplete: "off" }))),
      ),
      field(say("登记说明", "Note"), h("input", { name: "reason", required: true, maxlength: "200", value: say("已核对本人与证件原件", "person and original document seen") })),
      h("div", { class: "steps" }, h("button", { class: "go" }, say("登记", "Register")), h("button", { class: "step", type: "button", onclick: cancel }, say("取消", "Cancel"))),
    ),
  );
  return { element, focus: () => name.focus() };
}
