// The watchlist: lists with what their thresholds rest on, entries, proposing somebody, and lists that came from others.

import { file, get, post, send } from "../api.js";
import { GROUNDS, OUTCOMES } from "../alarm_words.js";
import { field, form, h, put, show, table } from "../dom.js";
import { against } from "../plot.js";
import { number, pair, say, whole } from "../words.js";

const STATES = { proposed: ["待批准", "proposed"], approved: ["布控中", "listed"], suspended: ["暂停（申诉）", "suspended"], expired: ["到期", "expired"], withdrawn: ["已撤销", "withdrawn"], erased: ["已删除", "erased"] };
const SOURCES = { own: ["本院", "own"], police: ["公安名单", "police"], hospital: ["外院名单", "another hospital"] };
const BUNDLES = { received: ["核对中", "being looked at"], checked: ["可供比较", "checked"], accepted: ["已接受", "accepted"], listed: ["已列入", "listed"], refused: ["未接受", "refused"], recalled: ["已召回", "recalled"], over: ["已过期", "over"] };
const APPEALS = { none: ["无", "none"], open: ["待结论", "open"], upheld: ["成立", "upheld"], rejected: ["不成立", "rejected"] };
const KEEPERS = ["security", "police_liaison"];

const base64 = (blob) =>
  new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(blob);
  });
const filesOf = async (element, name) => Promise.all([...element.querySelector(`[name=${name}]`).files].map(base64));

export async function page(place, { who }) {
  const roles = who.operator.roles;
  const keeps = roles.some((role) => KEEPERS.includes(role));
  const protects = roles.includes("security") || roles.includes("data_protection");
  const { lists } = await get("/watchlist/lists");
  const detail = h("section", {});
  const told = h("div", { role: "status" });
  const again = async (words) => {
    await page(place, { who });
    if (words) show(place.querySelector("[role=status]"), h("p", { class: "note" }, words));
  };
  const asked = (made) => again(say(`已提交，等待其他人批准（${made.approval_id}）。批准后自动执行。`, `Asked; others decide (${made.approval_id}). It happens by itself once they agree.`));

  async function lookAtList(one) {
    const { packs, history } = await get(`/watchlist/lists/${one.list_id}/thresholds`);
    show(detail, h("div", { class: "card" },
      h("h2", {}, one.name, say(" 的阈值", ": thresholds")),
      h("p", { class: "soft" }, say(`误报预算：每天 ${one.false_alarms_a_day} 次；阈值由预算、名单大小和实测人流推得，三者变化时自动重算。`, `Budget: ${one.false_alarms_a_day} false alarms a day. The threshold follows from it, the size of the list and the traffic that was measured.`)),
      packs.map((it) => h("div", {},
        h("h3", {}, it.pack),
        it.set ? against({ value: it.now ? it.now.threshold_cos : it.set.similarity_cos, threshold: it.set.similarity_cos, words: say("当前与重算", "in force and derived now") }) : null,
        h("dl", {},
          h("dt", {}, say("当前阈值", "In force")), h("dd", {}, it.set ? `${it.set.similarity_cos.toFixed(4)}${it.by_hand ? say("（人工设定）", " (by hand)") : ""}` : "—"),
          h("dt", {}, say("照片数", "Photographs")), h("dd", {}, number(it.list_size)),
          h("dt", {}, say("每日人流", "Passages a day")), h("dd", {}, `${number(it.passages_a_day)} ${it.passages_are === "counted" ? say("实测", "counted") : say("假定", "assumed")}`),
          it.now ? [h("dt", {}, say("此刻推得", "Derived now")), h("dd", {}, `${it.now.threshold_cos.toFixed(4)} · ${say("预计每天误报", "false alarms a day")} ${it.now.false_alarms_a_day.toPrecision(2)}${it.now.extrapolated ? say("（外推）", " (extrapolated)") : ""}`)] : null),
        it.now && it.now.why_not ? h("p", { class: "note warn" }, say(it.now.why_not.zh, it.now.why_not.en)) : null)),
      h("details", {}, h("summary", {}, say("历次阈值", "Every threshold so far")), table([say("模型", "Pack"), say("版本", "Version"), say("阈值", "Threshold"), say("时间", "When")], history.map((row) => [row.pack, row.version, row.similarity_cos.toFixed(4), whole(row.set_at)]), "—"))));
    detail.scrollIntoView({ block: "start" });
  }

  async function lookAtEntry(entryId) {
    const found = await get(`/watchlist/entries/${entryId}`);
    const { entry } = found;
    const faces = h("div", { class: "pair" });
    const person = h("div", {});
    const end = (path, words, more = null) => form({ class: "filters" }, async (fields) => { const made = await post(`/watchlist/entries/${entryId}/${path}`, more ? more(fields) : { reason: fields.reason }); await (made.approval_id ? asked(made) : again()); }, field(say("理由", "Why"), h("input", { name: "reason", required: true, maxlength: "1000" })), h("button", { class: "step" }, words));
    show(detail, h("div", { class: "card" },
      h("h2", {}, found.name_masked || say("（不具名）", "(no name)"), " ", h("span", { class: `tag ${entry.state === "approved" ? "good" : "warn"}` }, pair(STATES[entry.state])), " ", h("span", { class: "code" }, entry.entry_id)),
      h("dl", {}, [[say("依据", "Ground"), pair(GROUNDS[entry.ground_code])], [say("来源", "Source"), pair(SOURCES[entry.source])], [say("批准人", "Approved by"), entry.approvers.join(say("、", ", ")) || "—"], [say("列入", "Listed"), whole(entry.listed_at)], [say("复核", "Review"), whole(entry.review_at)], [say("到期", "Ends"), whole(entry.expires_at)], [say("申诉", "Appeal"), pair(APPEALS[entry.appeal])]].map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      form({ class: "filters" }, async (fields) => {
        const it = await get(`/watchlist/entries/${entryId}/person`, { reason: fields.reason });
        show(person, h("p", {}, h("b", {}, it.name), it.aliases.length ? `（${it.aliases.join(say("、", ", "))}）` : "", it.document_number ? ` ${it.document_kind} ${it.document_number}` : ""), h("p", {}, it.ground));
        show(faces);
        for (const photo of found.photos) {
          const blob = await file(`/watchlist/entries/${entryId}/photos/${photo.photo_id}`, { reason: fields.reason });
          put(faces, h("figure", { class: "face" }, h("img", { src: URL.createObjectURL(blob), alt: say("名单照片", "photograph on the list") }), h("figcaption", {}, say("质量 ", "quality "), photo.report.quality === undefined ? "—" : `${Number(photo.report.quality).toFixed(2)} · ${say("眼距 ", "eyes ")}${photo.report.eye_distance_px} px`)));
        }
      }, field(say("查看姓名与照片的理由（留痕）", "Why name and photographs are looked at (on record)"), h("input", { name: "reason", required: true, maxlength: "1000" })), h("button", { class: "go" }, say("查看", "Look"))),
      person, faces,
      found.outcomes.length ? h("p", {}, say("以前的报警结果：", "Earlier outcomes: "), found.outcomes.map((one) => `${pair(OUTCOMES[one.outcome]) || one.outcome} ${whole(one.raised_at)}`).join(say("；", "; "))) : null,
      h("details", {}, h("summary", {}, say("办理", "Act")),
        keeps && entry.state === "approved" ? [end("review", say("复核：仍属实", "Reviewed: still right")), end("withdraw", say("撤销布控（立即清除）", "Take off the list at once"))] : null,
        protects && entry.state === "approved" ? end("appeal", say("登记申诉（立即停止比对）", "Write down an appeal (stops at once)"), (fields) => ({ text: fields.reason })) : null,
        protects && entry.appeal === "open" ? [end("appeal/uphold", say("申诉成立：终止", "The appeal is right: end it")), end("appeal/reject", say("申诉不成立：申请恢复", "It is not: ask to resume"))] : null,
        protects ? end("erasure", say("申请删除", "Ask for erasure")) : null),
      h("details", {}, h("summary", {}, say("经过", "History")), h("ol", { class: "line" }, found.history.map((step) => h("li", {}, whole(step.at), ` ${step.act} `, h("span", { class: "soft" }, step.staff_id || "")))))));
    detail.scrollIntoView({ block: "start" });
  }

  const results = h("div", {});
  async function search(fields) {
    const { entries } = await get("/watchlist/entries", { list_id: fields.list_id, state: fields.state, review_due: fields.review_due ? "true" : undefined, limit: 200 });
    show(results, table([say("编号", "Entry"), say("名单", "List"), say("状态", "State"), say("依据", "Ground"), say("来源", "Source"), say("列入", "Listed"), say("复核", "Review"), say("到期", "Ends"), ""],
      entries.map((one) => [h("span", { class: "code" }, one.entry_id), one.list_id, h("span", { class: `tag ${one.state === "approved" ? "good" : ""}` }, pair(STATES[one.state])), pair(GROUNDS[one.ground_code]), pair(SOURCES[one.source]), whole(one.listed_at), whole(one.review_at), whole(one.expires_at), h("button", { class: "plain", onclick: () => lookAtEntry(one.entry_id) }, say("打开", "Open"))]), say("没有符合条件的条目。", "Nothing matches.")));
  }

  async function bundles() {
    const { bundles: found } = await get("/watchlist/bundles");
    const one = async (bundleId) => {
      const { bundle, difference } = await get(`/watchlist/bundles/${bundleId}`);
      const counts = difference ? [["new", say("新增", "new")], ["changed", say("变更", "changed")], ["same", say("不变", "same")], ["gone", say("移除", "gone")], ["already", say("本院已有", "here already")], ["alike", say("过于相似", "too alike")], ["refused", say("不能接收", "refused")]] : [];
      show(detail, h("div", { class: "card" }, h("h2", {}, say("名单包 ", "Bundle "), bundle.number, " ", h("span", { class: "tag" }, pair(BUNDLES[bundle.state]))),
        difference ? h("div", { class: "numbers" }, counts.map(([name, words]) => h("div", {}, h("b", {}, difference[name].length), h("span", {}, words)))) : h("p", {}, say("正在核对照片，稍后再看。", "Its photographs are being looked at.")),
        difference ? difference.refused.map((row) => h("p", { class: "note warn" }, h("span", { class: "code" }, row.place), " ", say(row.zh, row.en))) : null,
        keeps && bundle.state === "checked" ? form({ class: "filters" }, async (fields) => asked(await post(`/watchlist/bundles/${bundleId}/import`, { reason: fields.reason })), field(say("理由", "Why"), h("input", { name: "reason", required: true, maxlength: "1000" })), h("button", { class: "go" }, say("申请整体接受（另两人批准）", "Ask that it is accepted as a whole"))) : null));
      detail.scrollIntoView({ block: "start" });
    };
    return table([say("签发方", "Issuer"), say("期号", "Number"), say("名单", "List"), say("状态", "State"), say("签发", "Issued"), say("到期", "Ends"), ""], found.map((it) => [it.issuer_id, it.number, it.list_id, pair(BUNDLES[it.state]), whole(it.issued_at), whole(it.expires_at), h("button", { class: "plain", onclick: () => one(it.bundle_id) }, say("看差异", "What it changes"))]), say("还没有收到名单包。", "No bundle has come yet."));
  }

  const listChoice = (name) => h("select", { name, required: true }, lists.map((one) => h("option", { value: one.list_id }, one.name)));
  const pairs = (await get("/watchlist/close-pairs")).pairs;
  show(
    place,
    h("h1", {}, say("布控名单", "Watchlist")),
    told,
    table([say("名单", "List"), say("依据", "Ground"), say("布控中", "Listed"), say("待批", "Proposed"), say("每日误报预算", "Budget a day"), say("影子带", "Shadow band"), ""],
      lists.map((one) => [h("b", {}, one.name), one.ground, number(one.entries.approved || 0), number(one.entries.proposed || 0), one.false_alarms_a_day, one.shadow_band_cos, h("button", { class: "plain", onclick: () => lookAtList(one) }, say("阈值", "Thresholds"))]), say("还没有名单。先建立一个，写明依据和每天可承受的误报。", "There is no list yet. Make one, with its ground and the false alarms a day that can be borne.")),
    keeps
      ? h("details", { class: "card", open: !lists.length }, h("summary", {}, say("新建名单", "A new list")),
          form({ class: "filters" }, async (fields) => { await post("/watchlist/lists", { list_id: fields.list_id, name: fields.name, ground: fields.ground, false_alarms_a_day: Number(fields.budget) }); await again(); },
            field(say("代号（小写字母、数字）", "Id (small letters, digits)"), h("input", { name: "list_id", required: true, pattern: "[a-z0-9][a-z0-9_\\-]{0,39}" })), field(say("名称", "Name"), h("input", { name: "name", required: true, maxlength: "100" })), field(say("依据", "Ground"), h("input", { name: "ground", required: true, maxlength: "1000" })), field(say("每日误报预算", "False alarms a day"), h("input", { name: "budget", type: "number", min: "0.01", max: "10000", step: "any", value: "1", required: true })), h("button", { class: "go" }, say("建立", "Make"))))
      : null,
    pairs.length ? h("div", { class: "card" }, h("h2", {}, say(`${pairs.length} 对人过于相似，须由人判断`, `${pairs.length} pairs are too alike and wait for a person`)), table(["", say("相似度", "Similarity"), ""], pairs.slice(0, 20).map((one) => [h("span", { class: "code" }, `${one.entry_id} · ${one.other_entry_id || one.operator_id}`), `${one.similarity_cos.toFixed(3)} / ${one.asked_cos.toFixed(3)}`, keeps ? ["same_person", "different_people", "wrong_photo"].map((decision, n) => h("button", { class: "plain", onclick: async () => { await post(`/watchlist/close-pairs/${one.pair_id}`, { decision }); await again(); } }, [say("同一人", "same person"), say("不同的人", "different people"), say("照片有误", "wrong photograph")][n])) : ""]), "")) : null,
    h("h2", {}, say("条目", "Entries")),
    form({ class: "filters" }, search, field(say("名单", "List"), h("select", { name: "list_id" }, h("option", { value: "" }, say("全部", "all")), lists.map((one) => h("option", { value: one.list_id }, one.name)))), field(say("状态", "State"), h("select", { name: "state" }, h("option", { value: "" }, say("全部", "all")), Object.entries(STATES).map(([code, words]) => h("option", { value: code }, pair(words))))), h("label", { class: "pick" }, h("input", { type: "checkbox", name: "review_due" }), h("span", {}, say("只看须复核的", "due for review"))), h("button", { class: "go" }, say("查询", "Search"))),
    results,
    detail,
    keeps && lists.length
      ? h("details", { class: "card" }, h("summary", {}, say("提名布控", "Propose somebody")),
          h("p", { class: "soft" }, say("须另外两人批准才会列入；照片须清晰、一人。身份和照片加密保存，到期自动清除。", "Two others must agree. Photographs show one person clearly; all is sealed and erased when it ends.")),
          form({}, async (fields, element) => asked(await post("/watchlist/entries", {
            list_id: fields.list_id,
            person: { name: fields.name, document_kind: fields.document_number ? fields.document_kind : null, document_number: fields.document_number || null },
            ground_code: fields.ground_code, ground: fields.ground, source: fields.source, reason: fields.reason,
            photos: await filesOf(element, "photos"), documents: await filesOf(element, "documents"),
          })),
            h("div", { class: "grid2" },
              field(say("名单", "List"), listChoice("list_id")), field(say("姓名或绰号", "Name"), h("input", { name: "name", required: true, maxlength: "64" })),
              field(say("证件", "Document"), h("select", { name: "document_kind" }, ["resident_id", "passport", "travel_permit", "residence_permit", "other"].map((code) => h("option", { value: code }, code)))), field(say("证件号码（如知道）", "Its number, if known"), h("input", { name: "document_number", maxlength: "40" })),
              field(say("依据", "Ground"), h("select", { name: "ground_code" }, Object.entries(GROUNDS).map(([code, words]) => h("option", { value: code }, pair(words))))), field(say("来源", "Source"), h("select", { name: "source" }, Object.entries(SOURCES).map(([code, words]) => h("option", { value: code }, pair(words))))),
              field(say("照片（1 至 10 张）", "Photographs, 1 to 10"), h("input", { name: "photos", type: "file", accept: "image/*", multiple: true, required: true })), field(say("依据文件", "Documents"), h("input", { name: "documents", type: "file", multiple: true }))),
            field(say("事实与依据", "What happened, and by what right"), h("textarea", { name: "ground", rows: "3", required: true, maxlength: "2000" })), field(say("提名理由", "Why now"), h("input", { name: "reason", required: true, maxlength: "1000" })), h("button", { class: "go" }, say("提名", "Propose"))))
      : null,
    h("details", { class: "card" }, h("summary", {}, say("收到的名单包", "Lists from others")), await bundles(),
      keeps && lists.length ? form({ class: "filters" }, async (fields, element) => { const data = element.querySelector("[name=file]").files[0]; const made = await send("POST", `/watchlist/bundles?${new URLSearchParams({ list_id: fields.list_id })}`, undefined, { raw: new Blob([data], { type: "application/octet-stream" }), headers: fields.passphrase ? { "x-bundle-passphrase": fields.passphrase } : {} }); await again(say(`已收到（${made.bundle_id}），未列入任何人。`, `It came (${made.bundle_id}); nobody is listed by it.`)); }, field(say("文件", "File"), h("input", { name: "file", type: "file", required: true })), field(say("归入名单", "Into the list"), listChoice("list_id")), field(say("口令（如有）", "Passphrase, if any"), h("input", { name: "passphrase", type: "password", autocomplete: "off" })), h("button", { class: "go" }, say("接收", "Take in"))) : null),
  );
}
