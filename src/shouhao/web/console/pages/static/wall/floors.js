// The quiet wall: a floor at a time with its cameras by health and the guards at their posts.

import { get } from "../api.js";
import { HEALTH } from "../alarm_words.js";
import { h, refusal, show } from "../dom.js";
import { plan } from "../plan.js";
import { lasting, pair, say } from "../words.js";
import { guardList } from "./guards.js";
import { places } from "./places.js";

const key = (one) => `${one.building}\n${one.floor}`;
const LEGEND = [
  ["well", ["正常", "well"]],
  ["warn", ["有事须处理", "something to see to"]],
  ["out", ["失联", "not heard of"]],
  ["idle", ["未启用", "not in service"]],
];

export const howIs = (camera) => (camera.state !== "live" ? "idle" : camera.health !== "online" ? "out" : camera.warnings.length ? "warn" : "well");

// B2 before B1 before 1F before 10F.
export function storey(floor) {
  const found = /^(B|-)?\s*(\d+)|[FL](\d+)/i.exec(floor);
  if (!found) return 1000;
  const number = Number(found[2] || found[3]);
  return found[1] ? -number : number;
}

export function floorsView() {
  const element = h("section", { class: "floors", "aria-live": "off" }, h("p", { class: "empty" }, say("正在载入平面图…", "Loading the floors…")));
  let chosen = null;
  let found = null;
  let shown = "";

  async function choose(floor) {
    chosen = key(floor);
    await draw();
    element.querySelector("[aria-pressed=true]").focus();
  }
  async function draw() {
    const { cameras, guards, byId } = found;
    const floors = [...new Map([...byId.values(), ...cameras.map((one) => one.place)].map((one) => [key(one), one])).values()].sort(
      (a, b) => a.building.localeCompare(b.building, "zh-CN") || storey(a.floor) - storey(b.floor),
    );
    if (!floors.length) {
      show(element, h("p", { class: "empty" }, say("没有报警。还没有登记楼层和摄像机，登记之后这里显示平面图。", "No alarm. No floor and no camera is registered yet; once they are, their plans are shown here.")));
      return;
    }
    const on = (floor) => cameras.filter((one) => key(one.place) === key(floor));
    const troubled = (floor) => on(floor).filter((one) => ["out", "warn"].includes(howIs(one)));
    const here = (guard) => byId.get(guard.place_id);
    const weight = (floor) => 1000 * troubled(floor).length + on(floor).length;
    const current = floors.find((one) => key(one) === chosen) || floors.reduce((best, one) => (weight(one) > weight(best) ? one : best));
    chosen = key(current); // and stays so when another floor has more to see to
    const buildings = new Set(floors.map((one) => one.building));
    const drawn = await plan({
      building: current.building,
      floor: current.floor,
      cameras: cameras.map((one) => ({ camera_id: one.id, name: one.name, place_id: one.place.id, building: one.place.building, floor: one.place.floor, x: one.x, y: one.y })),
      guards,
      health: new Map(cameras.map((one) => [one.id, howIs(one)])),
    });
    const trouble = troubled(current);
    show(
      element,
      h(
        "div",
        { class: "floor-tabs", role: "group", "aria-label": say("楼层", "Floors") },
        floors.map((floor) => {
          const bad = troubled(floor).length;
          const posted = guards.filter((guard) => here(guard) && key(here(guard)) === key(floor)).length;
          return h(
            "button",
            { class: "floor-tab", "aria-pressed": String(floor === current), onclick: () => choose(floor) },
            h("b", {}, buildings.size > 1 ? `${floor.building} ${floor.floor}` : floor.floor),
            h("small", {}, [posted ? say(`保安 ${posted}`, `${posted} on guard`) : "", bad ? say(`须处理 ${bad}`, `${bad} to see to`) : ""].filter(Boolean).join(" · ")),
          );
        }),
      ),
      drawn,
      h("ul", { class: "plan-legend" }, LEGEND.map(([how, words]) => h("li", { class: how }, `${pair(words)} ${on(current).filter((one) => howIs(one) === how).length}`))),
      h(
        "div",
        { class: "grid2" },
        h("div", {}, h("h3", {}, say("在岗保安（全部楼层）", "Guards on duty, all floors")), guardList(guards)),
        h(
          "div",
          {},
          h("h3", {}, say("本层须处理的摄像机", "Cameras to see to on this floor")),
          trouble.length
            ? h("ul", { class: "trouble" }, trouble.map((one) => h("li", {}, h("b", {}, one.name), " ", one.health === "online" ? null : h("span", { class: "tag bad" }, `${pair(HEALTH[one.health]) || one.health}${one.heard_at ? ` · ${lasting((Date.parse(found.now) - Date.parse(one.heard_at)) / 1000)}${say("前", " ago")}` : ""}`), one.warnings.map((warning) => h("p", { class: "soft" }, say(warning.zh, warning.en))))))
            : h("p", { class: "soft" }, on(current).length ? say("无。", "None.") : say("本层没有摄像机。", "This floor has no camera.")),
        ),
      ),
    );
  }
  async function refresh() {
    try {
      const [byId, { cameras }, standing] = await Promise.all([places(), get("/cameras"), get("/shift-handovers/standing")]);
      found = { byId, cameras, guards: standing.guards, now: standing.now };
      // Drawn anew only where something differs, so that no focus and no scroll is taken away.
      const now = JSON.stringify([standing.guards, cameras.map((one) => [one.id, one.name, one.x, one.y, howIs(one), one.warnings.map((warning) => warning.code)])]);
      if (now !== shown) await draw();
      shown = now;
    } catch (error) {
      shown = "";
      show(element, refusal(error));
    }
  }
  return { element, refresh };
}

