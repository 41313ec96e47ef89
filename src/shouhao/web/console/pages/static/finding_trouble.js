// What stands where findings cannot be shown: not theirs to see, not there, or a server that does not answer.

import { h, refusal } from "./dom.js";
import { say } from "./words.js";

export function trouble(error, again) {
  const number = error.requestId ? h("p", { class: "code soft" }, error.requestId) : null;
  if (error.status === 403)
    return h("div", { class: "card", role: "alert" }, h("h2", {}, say("您的岗位不查看检测发现", "Findings are not yours to see")), h("p", {}, say("由保卫处、门诊办公室、信息科、警务联络和审计查看。需要时请找他们。", "The security office, the outpatient office, IT, the police liaison and the auditor see them. Ask one of them.")), number);
  if (error.status === 404)
    return h("div", { class: "card", role: "alert" }, h("h2", {}, say("没有这一条检测发现", "There is no such finding")), h("p", {}, say("编号有误，或已超过保存期限而删除。", "The number is wrong, or it was erased when its time was over.")), h("p", {}, h("a", { href: "/findings" }, say("回到检测发现", "Back to the findings"))), number);
  return h("div", {}, refusal(error), h("button", { class: "step", onclick: again }, say("再试一次", "Try again")));
}
