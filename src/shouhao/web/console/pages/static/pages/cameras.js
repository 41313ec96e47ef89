// Cameras: the register, how each is, and what somebody has to see to, on the plan of its floor.

import { get } from "../api.js";
import { HEALTH } from "../alarm_words.js";
import { h, show, table } from "../dom.js";
import { plan } from "../plan.js";
import { lasting, pair, say, whole } from "../words.js";

const STATES = { planned: ["未启用", "planned"], live: ["在用", "in service"], off: ["已停用", "off"] };
const ZONES = { entrance: ["出入口", "entrance"], window: ["挂号窗口", "window"], pharmacy: ["药房", "pharmacy"], clinic_door: ["诊室门口", "clinic door"], other: ["其他", "other"] };

export async function page(place) {
  const { cameras } = await get("/cameras");
  const live = cameras.filter((one) => one.state === "live");
  const bad = live.filter((one) => one.health !== "online" || one.warnings.length);
  const floors = [...new Map(cameras.map((one) => [`${one.place.building}\n${one.place.floor}`, one.place])).values()];
  const drawn = cameras.map((one) => ({ camera_id: one.id, name: one.name, building: one.place.building, floor: one.place.floor, x: one.x, y: one.y }));
  show(
    place,
    h("h1", {}, say("摄像机", "Cameras")),
    h("div", { class: "numbers" }, [[cameras.length, say("台登记", "registered")], [live.length, say("台在用", "in service")], [bad.length, say("台须处理", "to see to")]].map(([value, words]) => h("div", {}, h("b", {}, value), h("span", {}, words)))),
    table(
      [say("名称", "Name"), say("位置", "Place"), say("区域", "Zone"), say("状态", "State"), say("健康", "Health"), say("最近消息", "Last heard"), say("近一小时抓拍", "Last hour"), say("时钟偏差", "Clock"), say("标识照片", "Sign"), say("须处理", "To see to")],
      cameras.map((one) => [
        h("b", {}, one.name),
        `${one.place.building} ${one.place.floor} ${one.place.name}`,
        pair(ZONES[one.zone]) || one.zone,
        pair(STATES[one.state]) || one.state,
        one.state === "live" ? h("span", { class: `tag ${one.health === "online" ? "good" : "bad"}` }, pair(HEALTH[one.health]) || one.health) : "—",
        one.heard_at ? `${lasting((Date.now() - Date.parse(one.heard_at)) / 1000)}${say("前", " ago")}` : "—",
        one.captures_usual === null ? one.captures_last_hour : `${one.captures_last_hour} / ${say("平时 ", "usual ")}${Math.round(one.captures_usual)}`,
        `${(one.clock_offset_ms / 1000).toFixed(1)} s`,
        one.sign_taken_at ? whole(one.sign_taken_at) : h("span", { class: "tag bad" }, say("无", "none")),
        one.warnings.map((warning) => h("p", { class: "soft" }, say(warning.zh, warning.en))),
      ]),
      say("还没有登记摄像机：用 shouhao cameras import 导入，或由接口登记。", "No camera is registered: import them with shouhao cameras import, or over the API."),
    ),
    h("div", { class: "grid2" }, await Promise.all(floors.map((floor) => plan({ building: floor.building, floor: floor.floor, cameras: drawn, hot: new Set(bad.map((one) => one.id)) })))),
  );
}
