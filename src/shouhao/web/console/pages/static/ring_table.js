// A ring without a drawing, for whoever would rather read: what is shared, by whom, when.

import { h, show } from "./dom.js";
import { kindName, times } from "./finding_words.js";
import { say, whole } from "./words.js";

const ROWS_AT_ONCE = 100;

// Made when it is first opened.
export function ringTable(ring) {
  const { nodes } = ring;
  const ties = new Map();
  for (const edge of ring.edges) ties.set(edge.b, [...(ties.get(edge.b) || []), edge]);
  const rows = [...ties].sort((one, two) => two[1].some((edge) => edge.bridge) - one[1].some((edge) => edge.bridge) || two[1].length - one[1].length || one[0] - two[0]);
  const body = h("tbody", {});
  const more = h("button", { class: "step", onclick: () => add() }, "");
  let shown = 0;
  function add() {
    for (const [n, of] of rows.slice(shown, shown + ROWS_AT_ONCE)) {
      const first = of.map((edge) => edge.first_at).filter(Boolean).sort()[0];
      const last = of.map((edge) => edge.last_at).filter(Boolean).sort().at(-1);
      body.append(
        h("tr", {},
          h("td", {}, h("b", {}, nodes[n].code), ` ${kindName(nodes[n].kind)} `, h("span", { class: "code" }, nodes[n].label), of.some((edge) => edge.bridge) ? [" ", h("span", { class: "tag warn" }, say("桥", "bridge"))] : null),
          h("td", { class: "num" }, of.length),
          h("td", {}, of.map((edge) => `${nodes[edge.a].code} ${nodes[edge.a].label}`).join(say("、", ", "))),
          h("td", { class: "num" }, times(of.reduce((sum, edge) => sum + (edge.n || 0), 0))),
          h("td", {}, first ? `${whole(first)} – ${whole(last)}` : "—")),
      );
    }
    shown = Math.min(rows.length, shown + ROWS_AT_ONCE);
    more.hidden = shown >= rows.length;
    show(more, say(`再列 ${Math.min(ROWS_AT_ONCE, rows.length - shown)} 行（共 ${rows.length}）`, `${Math.min(ROWS_AT_ONCE, rows.length - shown)} more (of ${rows.length})`));
  }
  const heads = [say("共用的东西", "What is shared"), say("成员数", "Members"), say("成员", "Who"), say("次数", "Times"), say("首末次", "First – last")];
  const content = h("div", { class: "scroll", tabindex: "0" }, h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))), body));
  return h("details", { class: "ring-table", ontoggle: () => shown || add() }, h("summary", {}, say(`用表格看（${rows.length} 样）`, `As a table (${rows.length} things)`)), content, more);
}
