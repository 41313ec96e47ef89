// Guards at their posts: as marks on a plan, and as a list of words for those on other floors and for whoever sees no plan.

import { h, s } from "../dom.js";
import { lasting, say } from "../words.js";
import { placeName } from "./places.js";

const NAME_MOST = 8; // longer names are cut on the plan; the list has them whole

const far = (guard) => (guard.walking_s === undefined ? "" : guard.walking_s === null ? say("时间未知", "way unknown") : guard.walking_s === 0 ? say("就在此处", "right here") : say(`约 ${lasting(guard.walking_s)}`, `about ${lasting(guard.walking_s)}`));
const short = (name) => (name.length > NAME_MOST ? `${name.slice(0, NAME_MOST - 1)}…` : name);

// Where a post lies on this floor: among the cameras of its place. Several guards of one post stand above each other.
export function guardMarks(guards, here) {
  const standing = new Map();
  return guards.map((guard) => {
    const near = here.filter((one) => one.place_id === guard.place_id);
    if (!near.length) return null;
    const above = standing.get(guard.place_id) || 0;
    standing.set(guard.place_id, above + 1);
    const x = near.reduce((sum, one) => sum + one.x, 0) / near.length;
    const y = near.reduce((sum, one) => sum + one.y, 0) / near.length;
    const side = x < 0.4 ? 1 : -1; // the words run towards the middle
    return s(
      "g",
      { transform: `translate(${1000 * x + 36 * side} ${Math.max(30, 600 * y - 16 - 34 * above)})`, class: guard.busy ? "guard busy" : "guard" },
      s("circle", { cy: -9, r: 7 }),
      s("path", { d: "M-13 15a13 15 0 0 1 26 0z" }),
      s("text", { x: 20 * side, y: 12, "text-anchor": side > 0 ? "start" : "end" }, [short(guard.name), guard.busy ? say("忙", "busy") : far(guard)].filter(Boolean).join(" ")),
    );
  });
}

export function guardList(guards, empty = say("此刻没有在岗保安。", "No guard is on duty now.")) {
  if (!guards.length) return h("p", { class: "soft" }, empty);
  return h(
    "ul",
    { class: "guard-list" },
    guards.map((guard) =>
      h("li", {}, h("b", {}, guard.name), h("span", { class: `tag ${guard.busy ? "warn" : "good"}` }, guard.busy ? say("正在处警", "at an alarm") : say("空闲", "free")), h("span", { class: "soft" }, [placeName(guard.place_id), far(guard)].filter(Boolean).join(" · "))),
    ),
  );
}
