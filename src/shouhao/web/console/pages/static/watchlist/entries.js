// Looking for entries, page by page; and proposing somebody.

import { GROUNDS } from "../alarm_words.js";
import { get, post } from "../api.js";
import { field, form, h, show, table } from "../dom.js";
import { pair, say, whole } from "../words.js";
import { DOCUMENTS, SOURCES, STATES } from "./words.js";

const PAGE = 100;

export const listChoice = (lists) => h("select", { name: "list_id", required: true }, lists.map((one) => h("option", { value: one.list_id }, one.name)));
const options = (words) => Object.entries(words).map(([code, each]) => h("option", { value: code }, pair(each)));

export function search(lists, open) {
  const results = h("div", {});
  const names = Object.fromEntries(lists.map((one) => [one.list_id, one.name]));
  const row = (one) => [
    h("span", { class: "code" }, one.entry_id),
    names[one.list_id] || one.list_id,
    h("span", { class: `tag ${one.state === "approved" ? "good" : ""}` }, pair(STATES[one.state])),
    pair(GROUNDS[one.ground_code]),
    pair(SOURCES[one.source]),
    whole(one.listed_at),
    whole(one.review_at),
    whole(one.expires_at),
    h("button", { class: "plain", onclick: () => open(one.entry_id) }, say("打开", "Open")),
  ];
  async function look(fields, after = "", before = []) {
    const found = await get("/watchlist/entries", {
      list_id: fields.list_id,
      state: fields.state,
      review_due: fields.review_due ? "true" : undefined,
      after,
      limit: PAGE,
    });
    const entries = [...before, ...found.entries];
    show(
      results,
      table(
        [
          say("编号", "Entry"),
          say("名单", "List"),
          say("状态", "State"),
          say("依据", "Ground"),
          say("来源", "Source"),
          say("列入", "Listed"),
          say("复核", "Review"),
          say("到期", "Ends"),
          "",
        ],
        entries.map(row),
        say("没有符合条件的条目。", "Nothing matches."),
      ),
      found.next ? h("button", { class: "step", onclick: () => look(fields, found.next, entries) }, say("再看 100 条", "Another 100")) : null,
    );
  }
  return h(
    "section",
    {},
    h("h2", {}, say("条目", "Entries")),
    form(
      { class: "filters" },
      (fields) => look(fields),
      field(
        say("名单", "List"),
        h("select", { name: "list_id" }, h("option", { value: "" }, say("全部", "all")), lists.map((one) => h("option", { value: one.list_id }, one.name))),
      ),
      field(say("状态", "State"), h("select", { name: "state" }, h("option", { value: "" }, say("全部", "all")), options(STATES))),
      h("label", { class: "pick" }, h("input", { type: "checkbox", name: "review_due" }), h("span", {}, say("只看须复核的", "due for review"))),
      h("button", { class: "go" }, say("查询", "Search")),
    ),
    results,
  );
}

const base64 = (blob) =>
  new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(blob);
  });
const filesOf = async (element, name) => Promise.all([...element.querySelector(`[name=${name}]`).files].map(base64));

export function proposing(lists, asked) {
  const send = async (fields, element) =>
    asked(
      await post("/watchlist/entries", {
        list_id: fields.list_id,
        person: {
          name: fields.name,
          document_kind: fields.document_number ? fields.document_kind : null,
          document_number: fields.document_number || null,
        },
        ground_code: fields.ground_code,
        ground: fields.ground,
        source: fields.source,
        reason: fields.reason,
        photos: await filesOf(element, "photos"),
        documents: await filesOf(element, "documents"),
      }),
    );
  return h(
    "details",
    { class: "card" },
    h("summary", {}, say("提名布控", "Propose somebody")),
    h(
      "p",
      { class: "soft" },
      say("须另外两人批准才会列入；照片须清晰、一人。身份和照片加密保存，到期自动清除。", "Two others must agree. Photographs show one person clearly; all is sealed and erased when it ends."),
    ),
    form(
      {},
      send,
      h(
        "div",
        { class: "grid2" },
        field(say("名单", "List"), listChoice(lists)),
        field(say("姓名或绰号", "Name"), h("input", { name: "name", required: true, maxlength: "64" })),
        field(say("证件", "Document"), h("select", { name: "document_kind" }, options(DOCUMENTS))),
        field(say("证件号码（如知道）", "Its number, if known"), h("input", { name: "document_number", maxlength: "40" })),
        field(say("依据", "Ground"), h("select", { name: "ground_code" }, options(GROUNDS))),
        field(say("来源", "Source"), h("select", { name: "source" }, options(SOURCES))),
        field(say("照片（1 至 10 张）", "Photographs, 1 to 10"), h("input", { name: "photos", type: "file", accept: "image/*", multiple: true, required: true })),
        field(say("依据文件", "Documents"), h("input", { name: "documents", type: "file", multiple: true })),
      ),
      field(say("事实与依据", "What happened, and by what right"), h("textarea", { name: "ground", rows: "3", required: true, maxlength: "2000" })),
      field(say("提名理由", "Why now"), h("input", { name: "reason", required: true, maxlength: "1000" })),
      h("button", { class: "go" }, say("提名", "Propose")),
    ),
  );
}
