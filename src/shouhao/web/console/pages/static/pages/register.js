// Access register: who looked at what, why, on whose authority; counts against marks; canaries. Looking here is on record too.

import { get, post, send } from "../api.js";
import { field, form, h, show, table } from "../dom.js";
import { clock, day, pair, say, whole } from "../words.js";

const CLASSES = { face: ["人脸", "Face"], trail: ["轨迹", "Trail"], health: ["健康信息", "Health"], identity: ["身份信息", "Identity"], case: ["案件", "Case"], other: ["其他", "Other"] };

export async function page(place, { who }) {
  const found = h("section", {});
  const reasons = (fields) => ({ reason: fields.reason, authority: fields.authority });
  const why = () => [field(say("查询事由", "Why you look"), h("input", { name: "reason", required: true, maxlength: "500" })), field(say("授权", "On whose authority"), h("input", { name: "authority", required: true, maxlength: "200", value: say("职责：审计", "duty: audit") }))];
  const search = async (fields) => {
    const { looks } = await post("/access-register/search", { ...reasons(fields), operator_id: fields.operator || null, data_class: fields.data_class || null, what: fields.what || null });
    show(found, table([say("时间", "When"), say("谁", "Who"), say("部门", "Unit"), say("类别", "Class"), say("看了什么", "What"), say("事由", "Why"), say("授权", "Authority"), say("条数", "Records")],
      looks.map((one) => [`${day(one.at)} ${clock(one.at)}`, one.operator_name || one.operator_id, one.unit || "—", h("span", { class: one.canary ? "tag bad" : "tag" }, one.canary ? say("诱饵！", "canary! ") : "", pair(CLASSES[one.data_class])), h("span", { class: "code" }, one.what), one.reason, one.authority, one.records]), say("没有记录。", "No rows.")));
  };
  const count = async (fields) => {
    const told = await post("/access-register/counters", reasons(fields));
    show(found,
      told.warnings.map((one) => h("p", { class: "note warn" }, whole(one.at), " ", h("b", {}, one.operator_name || one.operator_id), ` ${one.counter} ${one.records} / ${one.warn_at}`)),
      table([say("谁", "Who"), say("类别", "Counter"), say("近 24 小时", "24 hours"), say("近 30 日", "30 days"), say("预警线", "Warned at"), say("法定标准", "The law's mark")],
        told.counts.map((one) => [h("span", { class: one.warned ? "tag bad" : "" }, one.operator_name || one.operator_id), one.counter, one.day, one.month, `${one.warn_day} / ${one.warn_month}`, one.law]), say("没有人看过什么。", "Nobody looked at anything.")));
  };
  const canaries = await get("/access-register/canaries");
  const keeps = who.operator.roles.includes("data_protection");
  show(
    place,
    h("h1", {}, say("留痕", "Access register")),
    h("p", { class: "soft" }, say("谁、何时、因何、凭谁授权、看了什么；先记后看，只增不改。您在此的查询也会记入。", "Who, when, why, on whose authority and what; written before it is shown, and never changed. Your own looks here are in it.")),
    form({ class: "filters" }, async (fields) => (fields.act === "count" ? count(fields) : search(fields)),
      why(),
      field(say("人员编号", "Operator"), h("input", { name: "operator", maxlength: "64" })),
      field(say("类别", "Class"), h("select", { name: "data_class" }, h("option", { value: "" }, say("全部", "all")), Object.entries(CLASSES).map(([code, words]) => h("option", { value: code }, pair(words))))),
      field(say("对象", "What"), h("input", { name: "what", maxlength: "200" })),
      h("button", { class: "go", name: "act", value: "search" }, say("查询", "Search")),
      h("button", { class: "step", name: "act", value: "count" }, say("计数与预警", "Counters"))),
    found,
    h("details", { class: "card" }, h("summary", {}, say(`诱饵记录 ${canaries.canaries.length} 条`, `${canaries.canaries.length} canaries`)),
      h("p", { class: "soft" }, say("无人有理由查看的记录，一经查看即报警。", "Records that nobody has reason to open; a look is an alarm.")),
      canaries.canaries.map((one) => h("p", {}, h("span", { class: "code" }, one.record_id), ` ${whole(one.marked_at)} `, keeps ? h("button", { class: "plain", onclick: async () => { await send("DELETE", `/access-register/canaries/${encodeURIComponent(one.record_id)}`); await page(place, { who }); } }, say("取消", "Unmark")) : null)),
      keeps ? form({ class: "filters" }, async (fields) => { await post("/access-register/canaries", { record_id: fields.record_id }); await page(place, { who }); }, field(say("记录编号", "Record"), h("input", { name: "record_id", required: true, maxlength: "64" })), h("button", { class: "go" }, say("设为诱饵", "Mark"))) : null),
  );
}
