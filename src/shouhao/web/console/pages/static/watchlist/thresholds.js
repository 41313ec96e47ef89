// One list: what its thresholds rest on, as plots and numbers, every threshold so far, and asking for other terms.

import { get, post } from "../api.js";
import { field, form, h, show, table } from "../dom.js";
import { number, say, whole } from "../words.js";
import { curvesShown } from "./curves.js";

const told = (it) =>
  h(
    "dl",
    {},
    h("dt", {}, say("当前阈值", "In force")),
    h("dd", {}, it.set ? `${it.set.similarity_cos.toFixed(4)}${it.by_hand ? say("（人工设定）", " (by hand)") : ""}` : "—"),
    h("dt", {}, say("照片数", "Photographs")),
    h("dd", {}, number(it.list_size)),
    h("dt", {}, say("每日人流", "Passages a day")),
    h("dd", {}, `${number(it.passages_a_day)} ${it.passages_are === "counted" ? say("实测", "counted") : say("假定", "assumed")}`),
  );

const termsForm = (one, asked) =>
  h(
    "details",
    {},
    h("summary", {}, say("申请更改条款", "Ask for other terms")),
    h("p", { class: "soft" }, say("预算放宽就是阈值放宽，须另一人批准。", "A larger budget is a laxer threshold; another must agree.")),
    form(
      { class: "filters" },
      async (fields) =>
        asked(
          await post(`/watchlist/lists/${one.list_id}/terms`, {
            name: fields.name,
            ground: fields.ground,
            false_alarms_a_day: Number(fields.budget),
            shadow_band_cos: Number(fields.band),
            open: fields.open === "on",
            reason: fields.reason,
          }),
        ),
      field(say("名称", "Name"), h("input", { name: "name", required: true, maxlength: "64", value: one.name })),
      field(say("依据", "Ground"), h("input", { name: "ground", required: true, maxlength: "500", value: one.ground })),
      field(
        say("每日误报预算", "False alarms a day"),
        h("input", { name: "budget", type: "number", min: "0.001", max: "10000", step: "any", required: true, value: one.false_alarms_a_day }),
      ),
      field(
        say("影子带（相似度）", "Shadow band (similarity)"),
        h("input", { name: "band", type: "number", min: "0", max: "0.3", step: "any", required: true, value: one.shadow_band_cos }),
      ),
      h("label", { class: "pick" }, h("input", { type: "checkbox", name: "open", checked: one.open }), h("span", {}, say("可新增", "open to new people"))),
      field(say("理由", "Why"), h("input", { name: "reason", required: true, maxlength: "1000" })),
      h("button", { class: "step" }, say("申请", "Ask")),
    ),
  );

export async function thresholdsShown(place, one, { roles, asked }) {
  show(place, h("p", { class: "empty" }, say("正在载入…", "Loading…")));
  place.scrollIntoView({ block: "start" });
  const [{ packs, history }, curves] = await Promise.all([
    get(`/watchlist/lists/${one.list_id}/thresholds`),
    get(`/watchlist/lists/${one.list_id}/curves`),
  ]);
  const pack = (it) => {
    const curve = curves.packs.find((each) => each.pack === it.pack);
    return h(
      "div",
      { class: "pack" },
      h("h3", {}, it.pack),
      told(it),
      it.now && it.now.why_not ? h("p", { class: "note warn" }, say("预算达不到：", "The budget is not kept: "), say(it.now.why_not.zh, it.now.why_not.en)) : null,
      curve ? curvesShown(curve, it, curves.false_alarms_a_day) : null,
    );
  };
  show(
    place,
    h(
      "div",
      { class: "card" },
      h("h2", {}, one.name, say(" 的阈值与校准", ": threshold and calibration")),
      h("p", { class: "soft" }, say(
        `误报预算：每天 ${one.false_alarms_a_day} 次；阈值由预算、名单大小和实测人流推得，变化明显时自动重算。`,
        `Budget: ${one.false_alarms_a_day} false alarms a day. The threshold follows from it, the list’s size and the traffic, and is derived anew as they change.`,
      )),
      packs.length ? packs.map(pack) : h("p", { class: "empty" }, say("还没有启用人脸模型；第一人获批时启用。", "No face pack is at work yet; the first approval begins one.")),
      h(
        "details",
        {},
        h("summary", {}, say("历次阈值", "Every threshold so far")),
        table(
          [say("模型", "Pack"), say("版本", "Version"), say("阈值", "Threshold"), say("时间", "When")],
          history.map((row) => [row.pack, row.version, row.similarity_cos.toFixed(4), whole(row.set_at)]),
          "—",
        ),
      ),
      roles.includes("security") ? termsForm(one, asked) : null,
    ),
  );
  place.scrollIntoView({ block: "start" });
}
