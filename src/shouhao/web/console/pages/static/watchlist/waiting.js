// What waits for a person: approvals about the watchlist, and pairs that are too alike.

import { get, post } from "../api.js";
import { h, table } from "../dom.js";
import { pair, say, whole } from "../words.js";
import { ASKED } from "./words.js";

const ABOUT_LISTS = new Set(["watch_entry", "watch_import"]);
const isOurs = (it) => ABOUT_LISTS.has(it.kind) || it.payload.act === "list_change" || /^we_/.test(it.subject) || it.payload.act === "export";
const DECISIONS = [
  ["same_person", ["同一人", "same person"]],
  ["different_people", ["不同的人", "different people"]],
  ["wrong_photo", ["照片有误", "wrong photograph"]],
];

export async function approvalsWaiting() {
  const { approvals } = await get("/approvals", { state: "asked" });
  const ours = approvals.filter(isOurs);
  if (!ours.length) return null;
  return h(
    "section",
    { class: "card waiting-approvals" },
    h("h2", {}, say(`待审批 ${ours.length} 件`, `Waiting for approval: ${ours.length}`)),
    table(
      [say("申请", "Asked"), say("对象", "About"), say("申请人", "By"), say("理由", "Why"), say("已批准", "Agreed"), say("有效期到", "Until"), ""],
      ours.map((it) => [
        pair(ASKED[it.payload.act]) || it.kind,
        h("span", { class: "code" }, it.subject),
        it.asked_by_name || it.asked_by,
        it.reason,
        say(`${it.decisions.filter((one) => one.approve).length} / ${it.needed} 人`, `${it.decisions.filter((one) => one.approve).length} of ${it.needed}`),
        whole(it.ends_at),
        h("a", { href: `/approvals#${it.approval_id}` }, it.may_decide ? say("去审批", "Decide") : say("查看", "See it")),
      ]),
      "",
    ),
  );
}

export async function closePairs({ keeps, again }) {
  const { pairs } = await get("/watchlist/close-pairs");
  if (!pairs.length) return null;
  const decide = (one) =>
    DECISIONS.map(([decision, words]) =>
      h("button", { class: "plain", onclick: async () => { await post(`/watchlist/close-pairs/${one.pair_id}`, { decision }); await again(); } }, pair(words)),
    );
  return h(
    "section",
    { class: "card" },
    h("h2", {}, say(`${pairs.length} 对人过于相似，须由人判断`, `${pairs.length} pairs are too alike and wait for a person`)),
    table(
      [say("两人", "The two"), say("相似度 / 起报", "Similarity / from"), ""],
      pairs.slice(0, 20).map((one) => [
        h("span", { class: "code" }, `${one.entry_id} · ${one.other_entry_id || one.operator_id}`),
        `${one.similarity_cos.toFixed(3)} / ${one.asked_cos.toFixed(3)}`,
        keeps ? decide(one) : "",
      ]),
      "",
    ),
  );
}
