// On what ground somebody may take a kept place, why not, and the papers that say so.

import { get } from "../api.js";
import { field, form, h, refusal, show } from "../dom.js";
import { pair, say, whole } from "../words.js";
import { reasons, sender } from "./sending.js";
import { CARE_KINDS, GROUNDS, PROOFS, PROOFS_OF } from "./words.js";

const MUST_END = "pregnant";

// Why not, so that it can be told across the counter.
function whyNot({ age_years: age, birth_day_sure: sure, proofs }) {
  const told = [age < 65 ? say(`${age} 岁，未满 65 周岁`, `${age} years old, not 65`) : null, age >= 65 && !sure ? say("已满 65 周岁，但出生日期未经证件核对：请先当面核验身份", "65 or older, but no document was seen that says so: confirm the identity first") : null];
  const lapsed = proofs.filter((one) => !one.counts);
  told.push(lapsed.length ? say("登记过的证明已过期或已撤销", "the recorded proof ran out or was revoked") : say("没有有效的残疾或怀孕证明", "no proof of disability or pregnancy"));
  return told.filter(Boolean).join(say("；", "; "));
}

// begin reads the papers, which is a look at health data on record: only when somebody asks.
export function careOf(patient, { changed = () => {} } = {}) {
  const place = h("div", { class: "care" });

  function paper(one) {
    const { box, chips } = reasons([say("证明到期", "it ran out"), say("登记有误", "recorded wrongly"), say("证明不实", "it is not true")]);
    const sending = sender();
    return h(
      "li",
      {},
      h("b", {}, pair(CARE_KINDS[one.kind])),
      ` ${pair(PROOFS[one.proof])} `,
      h("span", { class: "code" }, one.reference || ""),
      ` ${one.valid_until ? say(`有效至 ${one.valid_until}`, `until ${one.valid_until}`) : say("长期有效", "without end")} `,
      h("span", { class: `tag ${one.counts ? "good" : ""}` }, one.counts ? say("有效", "counts") : one.revoked_at ? say("已撤销", "revoked") : say("已过期", "ran out")),
      one.revoked_at ? h("span", { class: "soft" }, ` ${whole(one.revoked_at)} ${one.revoke_reason}`) : null,
      one.revoked_at ? null : h("details", { class: "sure" }, h("summary", { class: "plain" }, say("撤销", "Revoke")), form({}, async (fields) => { await sending("POST", `/care-proofs/${one.proof_id}/revoke`, { reason: fields.reason }); await begin(); }, chips, field(say("理由（已有预约不变）", "Why (bookings stay)"), box), h("button", { class: "step" }, say("撤销这份证明", "Revoke it")))),
    );
  }

  function recording() {
    const sending = sender();
    const proof = h("select", { name: "proof" });
    const until = h("input", { name: "valid_until", type: "date" });
    const ask = (kind) => {
      show(proof, PROOFS_OF[kind].map((code) => h("option", { value: code }, pair(PROOFS[code]))));
      until.required = kind === MUST_END;
    };
    ask("disabled");
    return h(
      "details",
      {},
      h("summary", {}, say("登记证明", "Record a proof")),
      form(
        { autocomplete: "off" },
        async (fields) => {
          await sending("POST", `/patients/${patient.patient_id}/care-proofs`, { kind: fields.kind, proof: fields.proof, reference: fields.reference || null, valid_until: fields.valid_until || null });
          await begin();
        },
        h(
          "div",
          { class: "grid2" },
          field(say("哪一类", "Kind"), h("select", { name: "kind", onchange: (event) => ask(event.target.value) }, Object.entries(CARE_KINDS).map(([code, words]) => h("option", { value: code }, pair(words))))),
          field(say("什么证明（已见原件）", "Which paper (original seen)"), proof),
          field(say("证明编号（加密保存）", "Its number (kept sealed)"), h("input", { name: "reference", maxlength: "40" })),
          field(say("有效至（怀孕须填）", "Good until (needed for a pregnancy)"), until),
        ),
        h("button", { class: "step" }, say("登记", "Record")),
      ),
    );
  }

  async function begin() {
    try {
      const told = await get(`/patients/${patient.patient_id}/care-proofs`);
      show(
        place,
        told.ground
          ? h("p", { class: "note", role: "status" }, say("可用照护号：", "A care place may be theirs: "), h("b", {}, pair(GROUNDS[told.ground])))
          : h("p", { class: "note warn", role: "status" }, say("不能用照护号：", "No care place: "), whyNot(told), say("。", ".")),
        told.proofs.length ? h("ul", { class: "papers" }, told.proofs.map(paper)) : null,
        recording(),
      );
      changed(told);
    } catch (error) {
      show(place, refusal(error));
    }
  }
  return { element: place, begin };
}
