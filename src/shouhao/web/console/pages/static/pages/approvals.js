// Approvals: what waits for a second pair of eyes, with exactly what would happen, and one's own requests.

import { get, post } from "../api.js";
import { field, form, h, show } from "../dom.js";
import { askedChange } from "../policies/compare.js";
import { index } from "../policies/scopes.js";
import { scopeWords } from "../policies/words.js";
import { pair, say, whole } from "../words.js";

const KINDS = {
  watch_entry: ["列入名单", "List a person"],
  watch_import: ["接受名单包", "Accept a bundle"],
  face_search: ["以图检索录像", "Search recordings"],
  trail: ["查看轨迹", "Open a trail"],
  export: ["导出", "Export"],
  erase: ["删除", "Erase"],
  policy: ["更改策略", "Change a policy"],
  extra_slots: ["超额加号", "Extra slots"],
  frequent_lead: ["打开频繁出现线索", "Open a lead"],
  law_switch: ["启用合规开关", "Turn a switch on"],
};
const STATES = {
  asked: ["待审批", "Waiting"],
  approved: ["已批准", "Approved"],
  refused: ["未批准", "Refused"],
  used: ["已执行", "Done"],
  expired: ["已过期", "Expired"],
  withdrawn: ["已撤回", "Withdrawn"],
};

// What would happen, as it was fixed when it was asked for: names and values, however deep.
function told(value) {
  if (Array.isArray(value)) return value.length ? h("ul", {}, value.map((one) => h("li", {}, told(one)))) : "—";
  if (value !== null && typeof value === "object") return h("dl", {}, Object.entries(value).map(([name, one]) => [h("dt", {}, name), h("dd", {}, told(one))]));
  return value === null ? "—" : String(value);
}

const isPolicy = (it) => it.kind === "policy" && it.payload.act === "policy_change";

// Names for the scopes of policies, where there is such a request and they are this reader's to see.
async function names(approvals) {
  if (!approvals.some(isPolicy)) return null;
  return get("/release-policies").then(index).catch(() => null);
}

// A change of a policy is done in the moment it is agreed to, or it says why not.
function outcome(it) {
  if (it.stopped) return h("p", { class: "note warn" }, say("已批准，但没有执行：", "Agreed to, but not done: "), say(it.stopped.zh, it.stopped.en));
  return isPolicy(it) && it.may_decide ? h("p", { class: "soft" }, say("批准即执行；如果现行内容在申请后已变，则不执行并说明原因。", "It is done as soon as you agree; if what holds has changed since it was asked for, nothing is done and the request says so.")) : null;
}

export async function page(place) {
  const { approvals } = await get("/approvals");
  const named = await names(approvals);
  const again = () => page(place);
  const waiting = approvals.filter((one) => one.may_decide);
  const others = approvals.filter((one) => !one.may_decide);
  const one = (it) =>
    h(
      "article",
      { class: "card", id: it.approval_id },
      h("h2", {}, pair(KINDS[it.kind]) || it.kind, isPolicy(it) ? say(`：${scopeWords(it.subject, named)}`, `: ${scopeWords(it.subject, named)}`) : null, " ", h("span", { class: `tag ${it.state === "asked" ? "warn" : it.state === "approved" || it.state === "used" ? "good" : ""}` }, pair(STATES[it.state])), it.needed > 1 ? h("span", { class: "soft" }, say(` 需 ${it.needed} 人批准，已 ${it.decisions.filter((each) => each.approve).length} 人`, ` ${it.decisions.filter((each) => each.approve).length} of ${it.needed} agreed`)) : null),
      h("p", {}, h("b", {}, it.asked_by_name || it.asked_by), say(" 于 ", " asked "), whole(it.asked_at), say(" 申请：", ": "), it.reason),
      h("details", { open: it.may_decide }, h("summary", {}, say("具体会做什么", "What exactly would happen")), isPolicy(it) ? askedChange(it.payload, named) : told(it.payload), h("p", { class: "soft" }, h("span", { class: "code" }, it.subject), " · SHA-256 ", h("span", { class: "code" }, it.payload_sha256.slice(0, 16)))),
      outcome(it),
      it.decisions.map((each) => h("p", { class: "soft" }, `${each.operator_name || each.operator_id} ${each.approve ? say("批准", "agreed") : say("不批准", "refused")} ${whole(each.at)}：${each.reason}`)),
      h("p", { class: "soft" }, say("有效期到 ", "until "), whole(it.ends_at)),
      it.may_decide
        ? form(
            {},
            async (fields) => {
              await post(`/approvals/${it.approval_id}/decision`, { approve: fields.approve === "yes", reason: fields.reason, payload_sha256: it.payload_sha256 });
              await again();
            },
            field(say("理由", "Why"), h("textarea", { name: "reason", rows: "2", required: true, maxlength: "1000" })),
            h("div", { class: "steps" }, h("button", { class: "step first", name: "approve", value: "yes" }, say("批准", "Approve")), h("button", { class: "step", name: "approve", value: "no" }, say("不批准", "Refuse"))),
          )
        : null,
    );
  show(
    place,
    h("h1", {}, say("审批", "Approvals")),
    h("p", { class: "soft" }, say("申请人与审批人不能是同一人；内容在申请时即固定，批准的就是下面所示。", "Nobody approves what they asked for; what is approved is what stands here, fixed when it was asked.")),
    h("h2", {}, say(`等您审批 ${waiting.length} 件`, `${waiting.length} wait for you`)),
    waiting.length ? waiting.map(one) : h("p", { class: "empty" }, say("没有等您审批的申请。", "Nothing waits for you.")),
    others.length ? [h("h2", {}, say("其他申请", "Others")), others.map(one)] : null,
  );
  const wanted = location.hash && document.getElementById(location.hash.slice(1));
  if (wanted) wanted.scrollIntoView();
}
