// Lists: what they are for, how full they are, what they may cost; and beginning one.

import { post } from "../api.js";
import { field, form, h, table } from "../dom.js";
import { number, say } from "../words.js";

export const listsTable = (lists, open) =>
  table(
    [say("名单", "List"), say("依据", "Ground"), say("布控中", "Listed"), say("待批", "Proposed"), say("每日误报预算", "Budget a day"), say("影子带", "Shadow band"), ""],
    lists.map((one) => [
      h("b", {}, one.name),
      one.ground,
      number(one.entries.approved || 0),
      number(one.entries.proposed || 0),
      one.false_alarms_a_day,
      one.shadow_band_cos,
      h("button", { class: "plain", onclick: () => open(one) }, say("阈值与校准", "Threshold")),
    ]),
    say("还没有名单。先建立一个，写明依据和每天可承受的误报。", "There is no list yet. Make one, with its ground and the false alarms a day that can be borne."),
  );

export const newList = (lists, again) =>
  h(
    "details",
    { class: "card", open: !lists.length },
    h("summary", {}, say("新建名单", "A new list")),
    form(
      { class: "filters" },
      async (fields) => {
        const given = { list_id: fields.list_id, name: fields.name, ground: fields.ground, false_alarms_a_day: Number(fields.budget) };
        await post("/watchlist/lists", given);
        await again();
      },
      field(say("代号（小写字母、数字）", "Id (small letters, digits)"), h("input", { name: "list_id", required: true, pattern: "[a-z0-9][a-z0-9_\\-]{0,39}" })),
      field(say("名称", "Name"), h("input", { name: "name", required: true, maxlength: "64" })),
      field(say("依据", "Ground"), h("input", { name: "ground", required: true, maxlength: "500" })),
      field(
        say("每日误报预算", "False alarms a day"),
        h("input", { name: "budget", type: "number", min: "0.01", max: "10000", step: "any", value: "1", required: true }),
      ),
      h("button", { class: "go" }, say("建立", "Make")),
    ),
  );
