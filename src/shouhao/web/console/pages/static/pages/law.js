// The law as switches: what is true, what is missing, who holds it, and by when it will not be true any more.

import { get, post } from "../api.js";
import { field, form, h, show, table } from "../dom.js";
import { ROLES, pair, say, whole } from "../words.js";

const CONSENTS = {
  notice: ["已读告知", "Notice read"],
  messages: ["结果发到手机", "Messages"],
  child_data: ["监护人同意（未满 14 岁）", "Guardian’s consent (under 14)"],
  face_check: ["刷脸核对（1:1）", "Check of the face (1:1)"],
  face_leave_out: ["用照片避免误认", "Photograph, not to be mistaken"],
};
const both = (words) => (words ? say(words.zh, words.en) : "");

export async function page(place, { who }) {
  const { switches, counted } = await get("/law");
  const again = () => page(place, { who });
  const acts = who.operator.roles.some((role) => ["security", "data_protection"].includes(role));
  const one = (it) => {
    const missing = it.needs.filter((need) => !need.met);
    return h(
      "article",
      { class: "card" },
      h("h2", {}, both(it), " ", h("span", { class: `tag ${it.on ? "good" : "bad"}` }, it.on ? say("启用中", "on") : say("未启用", "off"))),
      it.on ? h("p", { class: "soft" }, say("自 ", "since "), whole(it.since)) : h("p", {}, missing.length ? say(`还缺 ${missing.length} 项；缺一项即自动关闭。`, `${missing.length} are missing; any of them turns it off.`) : say("条件已齐，可申请启用（另一人批准）。", "Nothing is missing: ask to turn it on (somebody else approves).")),
      table(
        ["", say("法律要求", "What the law asks"), say("现状", "How it stands"), say("由谁办", "Who holds it"), say("条款", "Article")],
        it.needs.map((need) => [
          h("span", { class: need.met ? "tag good" : "tag bad" }, need.met ? "✓" : "✗"),
          both(need),
          need.met ? (need.due && need.due.at ? h("span", { class: "soft" }, both(need.due), " ", whole(need.due.at)) : say("已满足", "met")) : both(need.missing),
          pair(ROLES[need.holder]) || need.holder,
          h("span", { class: "soft" }, need.articles.map(both).join(say("；", "; "))),
        ]),
        "",
      ),
      acts && !it.turned_on && !missing.length
        ? form({ class: "filters" }, async (fields) => { await post(`/law/switches/${it.switch}/request`, { reason: fields.reason }); location.assign("/approvals"); }, field(say("申请启用的理由", "Why it is to be on"), h("input", { name: "reason", required: true, maxlength: "1000" })), h("button", { class: "go" }, say("申请启用", "Ask to turn on")))
        : null,
      acts && it.turned_on
        ? form({ class: "filters" }, async (fields) => { await post(`/law/switches/${it.switch}/off`, { reason: fields.reason }); await again(); }, field(say("停用的理由", "Why it is to be off"), h("input", { name: "reason", required: true, maxlength: "1000" })), h("button", { class: "step" }, say("立即停用", "Turn off at once")))
        : null,
    );
  };
  const seesConsents = who.operator.roles.some((role) => ["data_protection", "auditor"].includes(role));
  const consents = seesConsents ? (await get("/consents/counts")).counts : [];
  const approved = acts ? (await get("/approvals", { state: "approved", kind: "law_switch" })).approvals : [];
  show(
    place,
    h("h1", {}, say("合规", "The law as switches")),
    counted
      ? h("div", { class: "numbers" },
          [[counted.cameras, say("台在用摄像机", "cameras in service")], [counted.list_size, say("名单人数", "people listed")], [counted.stored_faces, say("存储人脸（满 10 万须备案）", "stored faces (filing at 100,000)")], [counted.trained, say(`人已培训，共 ${counted.looking} 人看人脸`, `trained, of ${counted.looking} who look at faces`)]].map(([value, words]) => h("div", {}, h("b", {}, value), h("span", {}, words))))
      : null,
    approved.map((it) => h("p", { class: "note" }, say("已批准启用 ", "approved: "), h("b", {}, it.subject), " ", h("button", { class: "step first", onclick: async () => { await post(`/law/switches/${encodeURIComponent(it.subject)}/on`, { approval_id: it.approval_id }); await again(); } }, say("现在启用", "Turn it on now")))),
    switches.map(one),
    seesConsents
      ? h("article", { class: "card" },
          h("h2", {}, say("患者的同意", "Patients’ consents")),
          h("p", { class: "soft" }, say("只有人数。查看某位就诊人的历史须写明事由，见接口 /consents/history。", "Numbers alone. One patient’s history takes a reason: /consents/history of the API.")),
          table(
            [say("哪一项", "Which"), say("文本版本", "Version"), say("现在同意", "Stand by it"), say("同意过", "Given"), say("撤回过", "Withdrawn"), "SHA-256"],
            consents.map((it) => [pair(CONSENTS[it.kind]) || it.kind, h("span", { class: it.in_force ? "tag good" : "tag" }, it.text_version, it.in_force ? say(" 现行", " in force") : ""), it.standing, it.given, it.withdrawn, h("span", { class: "code" }, it.text_sha256.slice(0, 16))]),
            say("还没有人作过决定。", "Nobody has decided on anything yet."),
          ))
      : null,
    h("p", { class: "soft" }, say("记录由命令 shouhao law record 或接口提交；详见文档“合规开关”。", "Records are handed in by shouhao law record or over the API; see the documentation.")),
  );
}
