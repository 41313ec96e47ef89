// Before a change is asked for: what differs, what it would have done, from when on and why. Then another decides.

import { post } from "../api.js";
import { field, form, h, refusal, show } from "../dom.js";
import { say } from "../words.js";
import { askedChange } from "./compare.js";
import { dryRunShown, monthsShown } from "./dry_run.js";

const DAYS = [[7, ["7 天", "7 days"]], [30, ["30 天", "30 days"]], [90, ["90 天", "90 days"]]];

// A moment that is typed is the hospital's.
const atHospital = (typed) => `${typed}:00+08:00`;

function tried(change) {
  const place = h("div", { "aria-live": "polite" });
  const days = h("select", {}, DAYS.map(([count, words]) => h("option", { value: String(count), selected: count === 30 }, say(...words))));
  const run = async () => {
    show(place, h("p", { class: "empty" }, say("正在试算…", "Trying it…")));
    try {
      const body = change.payload.follows ? change.payload.follows.body : change.payload.body;
      if (change.payload.kind === "antenatal") show(place, monthsShown((await post("/antenatal/policies/preview", { body })).months));
      else show(place, dryRunShown(await post(`/release-policies/${encodeURIComponent(change.scope)}/dry-run`, { body, days: Number(days.value) })));
    } catch (error) {
      if (!change.fault(error)) show(place, refusal(error));
    }
  };
  days.addEventListener("change", run);
  run();
  const asks = change.payload.kind === "antenatal" ? null : h("label", { class: "field" }, h("span", {}, say("用最近多久的需求", "On the demand of the last")), days);
  return h("section", { class: "card" }, h("h2", {}, say("试算", "Dry run")), h("div", { class: "filters" }, asks), place);
}

// change: {payload as it would be asked for, scope, path, body to send, fault: puts an error at its field}
export function askCard(change, named, { onasked, onback }) {
  const moment = h("input", { type: "datetime-local", name: "moment", disabled: true, "aria-label": say("生效时间", "From when on") });
  const at = (value, words) => h("label", { class: "pick" }, h("input", { type: "radio", name: "when", value, checked: value === "now", onchange: () => { moment.disabled = value === "now"; moment.required = value !== "now"; } }), h("span", {}, words));
  const fault = h("small", { class: "fault", id: "fault-effective_at" });
  moment.setAttribute("aria-describedby", fault.id);
  const asking = form(
    { class: "asking" },
    async (fields) => {
      show(fault);
      try {
        const effective_at = fields.when === "later" ? atHospital(fields.moment) : null;
        const made = await post(change.path, { ...change.body, effective_at, reason: fields.reason });
        await onasked(made);
      } catch (error) {
        if (error.field === "effective_at") {
          show(fault, error.message.replace(/^effective_at[:：]\s*/, ""));
          fault.scrollIntoView({ block: "center" });
        } else if (!change.fault(error)) throw error;
      }
    },
    h("fieldset", {}, h("legend", {}, say("从何时起", "From when on")), at("now", say("批准后立即", "As soon as it is agreed to")), at("later", say("指定时间（北京时间）", "From a moment on (hospital’s time)")), moment, h("small", { class: "help" }, say("不能落在任何已公布的报名期内。到时还没批准就作废。", "It may not fall into an announced entry window. If nobody has agreed by then, it comes to nothing.")), fault),
    field(say("为什么要改", "Why"), h("textarea", { name: "reason", rows: "2", required: true, minlength: "2", maxlength: "500" })),
    h("p", { class: "soft" }, say("提交后由另一位有审批角色的人决定；在那之前什么都不会变。", "Somebody else with the approver’s role decides; nothing changes before.")),
    h("div", { class: "steps" }, h("button", { class: "step first" }, say("提交审批", "Ask for approval")), h("button", { class: "step", type: "button", onclick: onback }, say("返回修改", "Back"))),
  );
  const isRule = !["antenatal"].includes(change.payload.kind) && !change.payload.kind.startsWith("release:");
  return h(
    "div",
    { class: "preview" },
    h("section", { class: "card" }, h("h2", {}, say("会改变什么", "What would change")), askedChange(change.payload, named)),
    isRule ? null : tried(change),
    h("section", { class: "card" }, h("h2", {}, say("提交", "Ask")), asking),
  );
}
