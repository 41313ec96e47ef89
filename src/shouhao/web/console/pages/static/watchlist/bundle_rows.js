// What a bundle would change, row by row and kind by kind; names masked until a reason is given, which is on record.

import { GROUNDS } from "../alarm_words.js";
import { file, get } from "../api.js";
import { field, form, h, put, refusal, show, table } from "../dom.js";
import { day, number, pair, say } from "../words.js";
import { DOCUMENTS, FIELDS, KINDS } from "./words.js";

const PAGE = 50;
const HOW = { document: ["证件相同", "same document"], name: ["姓名相同", "same name"], face: ["人脸相近", "faces alike"] };
const WHAT = {
  new: ["接受后列入", "Listed once this is accepted"],
  changed: ["接受后以新条目替换本院现有条目", "A new entry takes the place of the one that stands here"],
  gone: ["签发方名单里已没有，接受后终止", "Not in the issuer’s list any more; ended once this is accepted"],
  already: ["本院另有条目像是同一人，请先核对", "Another entry here seems to be the same person; compare first"],
  alike: ["两人过于相似，报警时可能认错", "The two may be taken for each other"],
  refused: ["不会列入；其余照常", "Left out; the rest stands"],
  same: ["与本院现有条目一致，不动", "As it stands here; left alone"],
};

const sideOf = (row) => row.given || row.here;
const code = (words) => h("span", { class: "code" }, words);
const hidden = () => h("span", { class: "soft" }, say("（写明理由后可见）", "(with a reason)"));
const document_ = (side) => (side.document_number ? `${pair(DOCUMENTS[side.document_kind]) || side.document_kind} ${side.document_number}` : say("无", "none"));
const VALUES = {
  name: (side) => side.name,
  aliases: (side) => (side.aliases === null ? null : side.aliases.join(say("、", ", ")) || say("无", "none")),
  document: (side) => (side.ground === null ? null : document_(side)),
  ground_code: (side) => pair(GROUNDS[side.ground_code]) || side.ground_code,
  ground: (side) => side.ground,
  photos: (side) => say(`${side.photos} 张`, side.photos),
  documents: (side) => say(`${side.documents} 份`, side.documents),
  expires_at: (side) => day(side.expires_at),
};

function change(row, name) {
  const [before, after] = [VALUES[name](row.here), VALUES[name](row.given)];
  const changed = before === null ? hidden() : [h("del", {}, before), " → ", h("ins", {}, after)];
  return h(
    "li",
    {},
    `${pair(FIELDS[name])}${say("：", ": ")}`,
    changed,
    before !== null && before === after ? h("span", { class: "soft" }, say(" 内容不同", " (other contents)")) : null,
  );
}

function who(row) {
  const side = sideOf(row);
  if (!side) return row.id || "—";
  const full = side.ground !== null;
  return [
    h("b", {}, side.name),
    full && side.aliases.length ? `（${side.aliases.join(say("、", ", "))}）` : "",
    full && !row.changed.includes("document") ? h("div", { class: "soft" }, say("证件 ", "Document: "), document_(side)) : null,
    full && !row.changed.includes("ground") ? h("div", { class: "written" }, side.ground) : null,
  ];
}

function about(row) {
  if (row.kind === "changed") return h("ul", { class: "row-changes" }, row.changed.length ? row.changed.map((name) => change(row, name)) : h("li", {}, hidden()));
  if (row.kind === "already") return [
    say("本院条目 ", "Entry here "),
    code(row.entry_id || "—"),
    ` ${pair(HOW[row.how])}`,
    row.similarity_cos === null ? "" : ` ${row.similarity_cos.toFixed(3)}`,
    row.here ? [" · ", h("b", {}, row.here.name)] : null,
  ];
  if (row.kind === "alike") return [
    row.operator_id ? say("与本院员工 ", "and a member of staff ") : say("与名单中的 ", "and in the list "),
    code(row.other_id || row.operator_id),
    ` ${row.similarity_cos.toFixed(3)}`,
  ];
  if (row.kind === "refused") return [code(row.place), " ", say(row.zh, row.en)];
  return row.entry_id ? [say("本院条目 ", "Entry here "), code(row.entry_id)] : "";
}

// How many photographs there are and how fit; with a reason, the fit ones themselves.
function photographs(bundleId, row, reason) {
  const side = sideOf(row);
  if (!side) return "—";
  const quality = row.fit.map((one) => one.quality.toFixed(2));
  const told = [VALUES.photos(side), quality.length ? say(`，质量 ${quality.join("、")}`, `; quality ${quality.join(", ")}`) : null];
  if (!reason || !row.fit.length) return told;
  const faces = h("div", { class: "pair" });
  const open = async (event) => {
    event.target.disabled = true;
    try {
      show(faces);
      for (const one of row.fit) {
        const blob = await file(`/watchlist/bundles/${bundleId}/photos/${one.sha256}`, { reason });
        const alt = say("名单包中的照片", "photograph of the bundle");
        put(faces, h("figure", { class: "face small" }, h("img", { src: URL.createObjectURL(blob), alt })));
      }
      event.target.remove();
    } catch (error) {
      show(faces, refusal(error));
      event.target.disabled = false;
    }
  };
  return [told, " ", h("button", { class: "plain", onclick: open }, say("看照片", "Look")), faces];
}

// On a phone each row stands as a block, its cells named.
function rowTable(bundleId, kind, rows, reason) {
  const heads = [
    say("编号", "Id"),
    say("人", "Person"),
    kind === "changed" ? say("变更", "Changes") : say("说明", "About"),
    say("依据", "Ground"),
    say("照片", "Photographs"),
    say("到期", "Ends"),
  ];
  const cells = (row) => {
    const side = sideOf(row);
    const [ground, ends] = side ? [VALUES.ground_code(side), VALUES.expires_at(side)] : ["—", "—"];
    return [code(row.id || row.entry_id), who(row), about(row), ground, photographs(bundleId, row, reason), ends];
  };
  return table(heads, rows.map((row) => h("tr", {}, cells(row).map((cell, n) => h("td", { "data-name": heads[n] }, cell)))), "—");
}

export function bundleRows(bundleId, difference) {
  const results = h("div", { class: "bundle-rows" });
  const kinds = Object.keys(KINDS).filter((kind) => difference[kind].length);
  const buttons = kinds.map((kind) => h(
    "button",
    { type: "button", "aria-pressed": "false", onclick: () => look(kind) },
    pair(KINDS[kind]),
    h("b", {}, number(difference[kind].length)),
  ));

  async function look(kind, after = 0, reason = null) {
    buttons.forEach((button, n) => button.setAttribute("aria-pressed", String(kinds[n] === kind)));
    try {
      const path = `/watchlist/bundles/${bundleId}/${reason ? "people" : "rows"}`;
      const { total, rows } = await get(path, { kind, after, limit: PAGE, reason });
      const known = rows.some((row) => sideOf(row));
      show(
        results,
        h("p", { class: "soft" }, pair(WHAT[kind]), say("。", ".")),
        known
          ? null
          : kind === "refused" ? null : h("p", { class: "note" }, say("此包已决定，文件已销毁，只剩编号。", "This was decided and its file is gone; the ids are what stays.")),
        known && !reason
          ? form(
              { class: "filters" },
              (fields) => look(kind, after, fields.reason),
              field(
                say("查看姓名、证件与事实的理由（留痕）", "Why names, documents and facts are looked at (on record)"),
                h("input", { name: "reason", required: true, maxlength: "1000" }),
              ),
              h("button", { class: "go" }, say("查看", "Look")),
            )
          : null,
        rowTable(bundleId, kind, rows, reason),
        total > PAGE
          ? h(
              "div",
              { class: "steps" },
              after ? h("button", { class: "step", onclick: () => look(kind, after - PAGE) }, say("上一页", "Before")) : null,
              h("span", { class: "soft" }, `${number(after + 1)}–${number(Math.min(after + PAGE, total))} / ${number(total)}`),
              after + PAGE < total ? h("button", { class: "step", onclick: () => look(kind, after + PAGE) }, say("下一页", "Next")) : null,
            )
          : null,
      );
    } catch (error) {
      show(results, refusal(error));
    }
  }
  if (kinds.length) look(kinds[0]);
  return [
    kinds.length ? h("ul", { class: "row-kinds" }, buttons.map((button) => h(
      "li",
      {},
      button,
    ))) : h("p", { class: "empty" }, say("此包不会改变任何内容。", "It would change nothing.")),
    results,
    difference.alike_from_cos === null ? null : h(
      "p",
      { class: "soft" },
      say(`人脸相似度从 ${difference.alike_from_cos.toFixed(3)} 起提示。`, `Faces are named from a similarity of ${difference.alike_from_cos.toFixed(3)} on.`),
    ),
  ];
}
