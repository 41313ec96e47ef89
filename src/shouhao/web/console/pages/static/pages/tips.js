// Tips: the inbox shows where each stands and nothing of it; one is opened for a reason, on record, and then dealt with.

import { file, get, post } from "../api.js";
import { field, form, h, put, refusal, show } from "../dom.js";
import { bars, lines } from "../plot.js";
import { number, pair, say, whole } from "../words.js";

const STATES = { new: ["未看", "Not read"], looked_at: ["核对中", "Looked into"], passed_on: ["已转警务联络", "Passed on"], linked: ["已关联", "Linked"], no_use: ["未采用", "No use"] };
const LOOKS = { new: "bad", looked_at: "warn", passed_on: "good", linked: "good", no_use: "" };
const ACTS = { told: ["举报", "told"], added: ["举报人补充", "the teller added"], looked_at: ["打开查看", "opened"], passed_on: ["转交警务联络", "passed on to the police liaison"], linked: ["关联", "linked"], no_use: ["未采用", "laid aside"], note: ["答复举报人", "answered the teller"] };
const MOVES = { passed_on: ["转交警务联络", "Pass on to the police liaison"], linked: ["与发现或报警关联", "Link to a finding or an alarm"], no_use: ["未采用", "Lay aside"], looked_at: ["重新核对", "Take up again"] };
const FIELDS = { what: ["所见所遇", "What was seen"], where: ["地点", "Where"], when: ["时间", "When"], about: ["医生或科室", "Doctor or clinic"], offered: ["卖什么", "Offered"], price: ["要价", "Price"], wechat: ["微信", "WeChat"], phone: ["电话", "Phone"], platform: ["平台或群", "Platform"], link: ["链接", "Link"], teller: ["举报人联系方式", "How to reach the teller"] };
const KINDS = { finding: ["检测发现", "Finding"], alarm: ["报警", "Alarm"] };
const TOP = 10;
const AT_ONCE = 20;

const doctorOf = (one) => (one.doctor_zh ? say(one.doctor_zh, one.doctor_en || one.doctor_zh) : one.doctor_id || "—");
const stateTag = (one) => [h("span", { class: `tag ${LOOKS[one.state]}` }, pair(STATES[one.state])), one.unread ? [" ", h("span", { class: "tag warn" }, say(`新补充 ${one.unread}`, `${one.unread} new`))] : null];
const linkOf = (one) => (one.link_id ? h("a", { href: `/${one.link_kind}/${encodeURIComponent(one.link_id)}` }, pair(KINDS[one.link_kind]), " ", h("span", { class: "code" }, one.link_id)) : null);

function history(rows) {
  return h("ol", { class: "line" }, rows.map((row) => h("li", {}, h("b", {}, whole(row.at)), ` ${pair(ACTS[row.act]) || row.act} `, linkOf(row), h("span", { class: "soft" }, ` ${row.by_name || row.by || say("举报人", "the teller")}`), row.words ? h("p", { class: "written" }, row.words) : null)));
}

export async function page(place, { who, keep = null }) {
  const keeps = ["security", "outpatient_office"].some((role) => who.operator.roles.includes(role));
  const opens = keeps || who.operator.roles.includes("police_liaison");
  const counts = keeps || who.operator.roles.includes("auditor") ? await get("/tips/counts") : null;
  const results = h("div", {});
  const detail = h("div", { class: "tip-detail" }, h("p", { class: "empty" }, say("从左边选一条。", "Choose one on the left.")));
  let chosen = keep ? keep.tipId : null;
  let asked = keep ? keep.asked : { state: keeps ? "new" : "" };

  async function search(fields) {
    asked = fields;
    const found = await get("/tips", { state: fields.state, doctor_id: fields.doctor_id, reference: fields.reference, limit: AT_ONCE });
    let shown = found.tips;
    const row = (one) =>
      h("li", {}, h("button", { class: `alarm-row tip-row ${one.state === "new" ? "new" : one.unread ? "" : "quiet"} ${one.tip_id === chosen ? "chosen" : ""}`, "data-tip": one.tip_id, onclick: () => lookAt(one.tip_id) },
        h("span", { class: "code" }, one.reference), h("span", {}, stateTag(one)),
        h("span", {}, doctorOf(one)), h("span", { class: "soft" }, say(`填 ${one.filled.length} 项`, `${one.filled.length} fields`), one.pictures ? say(` · 图 ${one.pictures}`, ` · ${one.pictures} pictures`) : ""),
        h("span", { class: "soft" }, whole(one.told_at)), h("span", { class: "soft" }, one.link_id ? `${pair(KINDS[one.link_kind])} ${one.link_id}` : "")));
    const draw = (more) => {
      const older = async () => {
        const last = shown[shown.length - 1];
        const next = await get("/tips", { state: fields.state, doctor_id: fields.doctor_id, before: last.told_at, before_id: last.tip_id, limit: AT_ONCE });
        shown = shown.concat(next.tips);
        draw(next.more);
      };
      const empty = fields.state === "new" ? say("没有未看的举报。", "No tip waits to be read.") : say("没有符合条件的举报。", "No tip matches.");
      show(results, shown.length ? h("ul", { class: "queue" }, shown.map(row)) : h("p", { class: "empty" }, empty), more ? h("button", { class: "step", onclick: older }, say("更早的", "Older ones")) : null);
    };
    draw(found.more);
  }

  async function lookAt(tipId) {
    chosen = tipId;
    for (const one of results.querySelectorAll(".tip-row")) one.classList.toggle("chosen", one.dataset.tip === tipId);
    try {
      const found = await get(`/tips/${encodeURIComponent(tipId)}`);
      closed(found);
    } catch (error) {
      show(detail, refusal(error));
    }
    detail.scrollIntoView({ block: "nearest" });
  }

  const head = (tip) => [
    h("h2", {}, say("举报 ", "Tip "), h("span", { class: "code" }, tip.reference), " ", stateTag(tip)),
    h("p", { class: "soft" }, whole(tip.told_at), tip.doctor_id ? ` · ${doctorOf(tip)}` : "", tip.session_id ? [" · ", h("span", { class: "code" }, tip.session_id)] : null, tip.link_id ? [" · ", linkOf(tip)] : null),
  ];

  function closed({ tip, history: rows }) {
    show(
      detail,
      h(
        "section",
        { class: "card" },
        head(tip),
        h("p", {}, say("已填：", "Filled in: "), tip.filled.map((name) => [h("span", { class: "tag" }, pair(FIELDS[name])), " "]), tip.pictures ? h("span", { class: "tag" }, say(`图片 ${tip.pictures} 张`, `${tip.pictures} pictures`)) : null),
        opens
          ? form({ class: "filters" }, async (fields) => opened(await post(`/tips/${encodeURIComponent(tip.tip_id)}/looks`, { reason: fields.reason }), fields.reason), field(say("打开的事由（留痕）", "Why it is opened (on record)"), h("input", { name: "reason", required: true, maxlength: "200" })), h("button", { class: "go" }, say("打开", "Open")))
          : h("p", { class: "note" }, say("您可以看到状态和经过；内容不向审计显示。", "You see where it stands and how it came there; what was told is not shown to the auditor.")),
        tip.next.includes("no_use") && tip.state === "new" ? h("details", {}, h("summary", {}, say("不打开，直接标为未采用（仅用于成批的无效举报）", "Lay aside unread (for floods of nonsense alone)")), moveForm(tip, ["no_use"])) : null,
        h("details", {}, h("summary", {}, say("经过", "History")), history(rows)),
      ),
    );
  }

  function markRead(tip) {
    const row = results.querySelector(`[data-tip="${CSS.escape(tip.tip_id)}"]`);
    if (!row) return;
    row.classList.remove("new");
    row.classList.add("quiet");
    show(row.children[1], stateTag(tip));
  }

  async function opened(found, reason) {
    const { tip, told, picture_ids: pictures, history: rows } = found;
    const shots = h("div", { class: "shots" });
    markRead(tip);
    const told_rows = Object.entries(FIELDS).filter(([name]) => told[name]);
    show(
      detail,
      h(
        "section",
        { class: "card" },
        head(tip),
        h("p", { class: "note warn" }, say("这是一面之词，不是证据。请与预约记录、报警和检测发现核对，不要仅凭举报接触被指的人。", "This is one person’s word and no proof. Hold it against bookings, alarms and findings; approach nobody on a tip alone.")),
        h("dl", { class: "told" }, told_rows.map(([name, words]) => [h("dt", {}, pair(words)), h("dd", { class: "written" }, told[name])])),
        rows.filter((row) => row.act === "added").map((row) => h("p", { class: "note written" }, h("b", {}, say("补充 ", "Added ")), h("span", { class: "soft" }, whole(row.at)), `\n${row.words}`)),
        shots,
        tip.next.length ? [h("h3", {}, say("怎样处理", "What becomes of it")), moveForm(tip, tip.next)] : null,
        keeps
          ? [
              h("h3", {}, say("答复举报人", "Answer the teller")),
              h("p", { class: "soft" }, say("举报人凭查询码可见。不要写任何人的姓名或调查细节。", "They read it with their code. Name nobody, and tell nothing of what is looked into.")),
              form({ class: "asking" }, async (fields) => { await post(`/tips/${encodeURIComponent(tip.tip_id)}/notes`, { words: fields.words }); await again(tip.tip_id); }, field(say("答复", "Answer"), h("textarea", { name: "words", rows: "3", required: true, maxlength: "500" })), h("button", { class: "step" }, say("发出", "Send"))),
            ]
          : null,
        h("details", { open: true }, h("summary", {}, say("经过", "History")), history(rows)),
      ),
    );
    for (const [n, picture] of pictures.entries()) {
      const words = say(`图片 ${n + 1}（带您的水印）`, `picture ${n + 1}, with your mark`);
      try {
        const blob = await file(`/tips/${encodeURIComponent(tip.tip_id)}/pictures/${encodeURIComponent(picture)}`, { reason });
        const at = URL.createObjectURL(blob);
        put(shots, h("figure", { class: "shot" }, h("a", { href: at, target: "_blank", rel: "noopener" }, h("img", { src: at, alt: words })), h("figcaption", { class: "soft" }, words)));
      } catch (error) {
        put(shots, refusal(error));
      }
    }
  }

  function moveForm(tip, states) {
    const link = h("div", { class: "filters", hidden: states[0] !== "linked" }, field(say("关联到", "Link to"), h("select", { name: "link_kind" }, Object.entries(KINDS).map(([code, words]) => h("option", { value: code }, pair(words))))), field(say("编号", "Its id"), h("input", { name: "link_id", maxlength: "64", pattern: "[A-Za-z0-9_.:\\-]{1,64}", placeholder: "f-… / al_…" })));
    const choose = (state) => {
      link.hidden = state !== "linked";
      link.querySelector("input").required = state === "linked";
    };
    const choice = states.map((state, n) => h("label", { class: "pick" }, h("input", { type: "radio", name: "state", value: state, required: true, checked: n === 0, onchange: () => choose(state) }), h("span", {}, pair(MOVES[state]))));
    choose(states[0]);
    const move = async (fields) => {
      const linked = fields.state === "linked";
      await post(`/tips/${encodeURIComponent(tip.tip_id)}/steps`, { state: fields.state, version: tip.version, reason: fields.reason, link_kind: linked ? fields.link_kind : null, link_id: linked ? fields.link_id : null });
      await again(tip.tip_id);
    };
    return form({ class: "asking" }, move, states.length > 1 ? choice : h("input", { type: "hidden", name: "state", value: states[0] }), link, field(say("理由（留痕）", "Why (on record)"), h("textarea", { name: "reason", rows: "2", required: true, maxlength: "500" })), h("button", { class: "go" }, states.length > 1 ? say("记录", "Record") : pair(MOVES[states[0]])));
  }

  async function again(tipId) {
    await page(place, { who, keep: { asked, tipId } });
  }

  const named = (counts ? counts.doctors : []).filter((one) => one.doctor_id);
  const unnamed = (counts ? counts.doctors : []).find((one) => !one.doctor_id);
  const total = counts ? counts.weeks.reduce((sum, one) => sum + one.tips, 0) : 0;
  show(
    place,
    h("h1", {}, say("举报", "Tips")),
    h("p", { class: "soft" }, say("患者和路人说的倒号情况，可以匿名。内容须写明事由才打开，每次打开和每张图片都留痕。", "What patients and passers-by tell of scalpers, nameless if they like. Each is opened for a reason; each look and each picture is on record.")),
    counts ? h("div", { class: "numbers" }, Object.entries(STATES).map(([code, words]) => h("div", {}, h("b", {}, number(counts.states[code])), h("span", {}, pair(words))))) : null,
    total
      ? h(
          "div",
          { class: "grid2" },
          h("div", {}, named.length ? bars({ title: say("近 26 周，举报提到哪些医生的号", "Whose slots tips are about, 26 weeks"), rows: named.slice(0, TOP).map((one) => ({ name: say(one.name_zh || one.doctor_id, one.name_en || one.name_zh || one.doctor_id), value: one.tips })), format: number }) : h("p", { class: "empty" }, say("近 26 周的举报都没有写明医生。", "No tip of 26 weeks names a doctor.")), h("p", { class: "soft" }, say(`被提到多，说明号紧俏、有人倒卖，不等于医生有错。${unnamed ? `另有 ${unnamed.tips} 条未写明医生。` : ""}不含未采用的。`, `Being named often says that slots are wanted and sold, not that the doctor does wrong. ${unnamed ? `${unnamed.tips} more name no doctor. ` : ""}Without those laid aside.`))),
          lines({ title: say("每周举报", "Tips a week"), series: [{ name: say("举报", "tips"), strong: true, step: true, points: counts.weeks.map((one, n) => [n - counts.weeks.length + 1, one.tips]) }], xWords: say("周（0 为本周）", "weeks (0 is this one)"), yWords: "", yFormat: number }),
        )
      : null,
    form({ class: "filters" }, search, field(say("状态", "State"), h("select", { name: "state" }, h("option", { value: "" }, say("全部", "all")), Object.entries(STATES).map(([code, words]) => h("option", { value: code, selected: code === asked.state }, pair(words))))), named.length ? field(say("医生", "Doctor"), h("select", { name: "doctor_id" }, h("option", { value: "" }, say("全部", "all")), named.map((one) => h("option", { value: one.doctor_id }, say(one.name_zh || one.doctor_id, one.name_en || one.name_zh || one.doctor_id))))) : null, field(say("编号", "Number"), h("input", { name: "reference", maxlength: "20" })), h("button", { class: "go" }, say("查询", "Search"))),
    h("div", { class: "tips-desk" }, results, detail),
  );
  await search(asked);
  if (keep) await lookAt(keep.tipId);
}
