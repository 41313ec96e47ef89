// The banner that a handover waits: for everybody at the wall, until another person has taken over.

import { h, show } from "../dom.js";
import { say, whole } from "../words.js";

const AT_THE_WALL = ["monitoring", "security"];
const NOTE_SHOWN = 80;

export const mayHand = (operator) => operator.roles.some((role) => AT_THE_WALL.includes(role));

export function waitingBanner(operator, onopen) {
  const element = h("div", { class: "handover-banner", role: "status" });
  let shown = "";
  function tell({ waiting }) {
    const mark = waiting ? waiting.handover_id : "";
    if (mark === shown) return;
    shown = mark;
    if (!waiting) {
      show(element);
      return;
    }
    const takes = mayHand(operator) && waiting.handed_by !== operator.operator_id;
    show(
      element,
      h(
        "div",
        { class: "note warn" },
        h("p", {}, h("b", {}, say(`${waiting.handed_by_name} 于 ${whole(waiting.handed_at)} 交班，还没有人接班。`, `${waiting.handed_by_name} handed over at ${whole(waiting.handed_at)}; nobody has taken over.`))),
        h("p", { class: "handover-short" }, waiting.note.length > NOTE_SHOWN ? `${waiting.note.slice(0, NOTE_SHOWN)}…` : waiting.note),
        h("button", { class: "step", onclick: onopen }, takes ? say("查看并接班", "Read and take over") : say("查看", "Read")),
      ),
    );
  }
  return { element, tell };
}
