// Raw lines: masked until somebody says why; then as they stand in the file, with the viewer's name over them.

import { field, form, h, s } from "./dom.js";
import { both } from "./finding_words.js";
import { visible } from "./visible.js";
import { number, say, whole } from "./words.js";

const [LETTER, GAP, LINE] = [8.2, 70, 96]; // of the watermark, px

let marks = 0;

// The viewer's name, number and time over a block, as it stands in the pictures of an alarm. It lets every press through.
function watermark(words) {
  const width = GAP + LETTER * [...words].reduce((sum, char) => sum + (char > "\u2e80" ? 1.8 : 1), 0);
  const id = `mark-${(marks += 1)}`;
  return s(
    "svg",
    { class: "watermark", "aria-hidden": "true" },
    s("defs", {}, s("pattern", { id, width, height: LINE, patternUnits: "userSpaceOnUse", patternTransform: "rotate(-14)" }, s("text", { x: 8, y: 50 }, words))),
    s("rect", { width: "100%", height: "100%", fill: `url(#${id})` }),
  );
}

// ask: ({reason, authority}) => promise; it shows the page again without masks.
export function lookForm(ask) {
  return form(
    { class: "look-form" },
    (fields) => ask({ reason: fields.reason.trim(), authority: fields.authority.trim() || undefined }),
    h("p", {}, say("原始行与完整编号属于个人信息，平时遮蔽。写明理由后显示；您的姓名、时间和理由先记入留痕，再显示内容。", "Raw lines and whole ids are personal data and stay masked. Say why, and they are shown; your name, the time and the reason are written into the access register first.")),
    h("div", { class: "filters" },
      field(say("查看理由", "Why you look"), h("input", { name: "reason", required: true, minlength: "2", maxlength: "500", autocomplete: "off" })),
      field(say("授权（可不填）", "On whose authority (may be empty)"), h("input", { name: "authority", maxlength: "200", autocomplete: "off" })),
      h("button", { class: "go" }, say("显示（留痕）", "Show (on record)"))),
  );
}

function copyButton(pre, text) {
  const button = h("button", { class: "plain" }, say("复制", "Copy"));
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text); // kept from pages over plain HTTP
      button.textContent = say("已复制", "Copied");
    } catch {
      getSelection().selectAllChildren(pre);
      button.textContent = say("已选中，请按 Ctrl+C", "Selected: press Ctrl+C");
    }
  });
  return button;
}

function block(one, sha256, viewer) {
  const size = say(`字节 ${number(one.byte_start)}–${number(one.byte_end)}`, `bytes ${number(one.byte_start)}–${number(one.byte_end)}`);
  const unpacked = one.compression && one.compression !== "none" ? say(`（解压后，${one.compression}）`, ` (unpacked, ${one.compression})`) : "";
  const pre = h("pre", { tabindex: "0", "aria-label": `${one.file} ${size}` }, one.lines.map((line) => h("span", { class: "raw-line" }, visible(line), "\n")));
  return h(
    "div",
    { class: "raw-block" },
    h("p", { class: "raw-head" }, h("b", { class: "code" }, visible(one.file)), ` ${size}${unpacked}`, sha256 ? h("small", { class: "code soft", title: `SHA-256 ${sha256}` }, ` sha256 ${sha256.slice(0, 12)}…`) : null, one.lines.length ? copyButton(pre, `${one.lines.join("\n")}\n`) : null),
    one.trouble ? h("p", { class: "note warn" }, both(one.trouble) || String(one.trouble)) : null,
    one.lines.length ? h("div", { class: "raw-marked" }, pre, watermark(viewer)) : null,
    one.cut_short ? h("p", { class: "soft" }, say("这一处还有更多行；按文件和字节范围可从原文件取出全部。", "There is more of it; file and bytes lead to all of it in the original.")) : null,
  );
}

// The lines of one reason; `none` says why there are none.
export function rawBlocks(blocks, { sha256, viewer, none }) {
  if (!blocks || !blocks.length) return h("p", { class: "soft" }, none);
  return h("div", {}, blocks.map((one) => block(one, sha256[one.file], viewer)));
}

export const viewerMark = (operator) => `${operator.name} ${operator.operator_id} ${whole(new Date())}`;
