// What came of alarms in the last 90 days: over all lists, and list by list, with the share that was an error.

import { get } from "../api.js";
import { OUTCOMES } from "../alarm_words.js";
import { h } from "../dom.js";
import { bars } from "../plot.js";
import { number, pair, percent, say } from "../words.js";

const DAYS = 90;
const WORDS = { ...OUTCOMES, genuine_visit: ["确来就诊", "Genuine visit"], rejected: ["比对驳回", "Rejected by eye"], open: ["尚无结果", "No outcome yet"] };
const ORDER = ["removed", "warned", "genuine_visit", "lost", "mistaken_identity", "rejected", "open"];
const ERRORS = ["mistaken_identity", "rejected"];

const sum = (became, codes) => codes.reduce((total, code) => total + (became[code] || 0), 0);

function one(title, became) {
  const all = sum(became, Object.keys(became));
  const decided = all - (became.open || 0);
  const wrong = sum(became, ERRORS);
  const codes = [...ORDER, ...Object.keys(became).filter((code) => !ORDER.includes(code))];
  return h(
    "div",
    { class: "outcome-bars" },
    bars({
      title: say(`${title}：${number(all)} 次报警`, `${title}: ${number(all)} alarms`),
      rows: codes.filter((code) => became[code]).map((code) => ({ name: pair(WORDS[code]) || code, value: became[code], bad: ERRORS.includes(code) })),
      format: (value) => `${number(value)} · ${percent(value / all)}`,
    }),
    h("p", { class: "soft" }, decided
      ? say(
        `有结果的 ${number(decided)} 次中，误报（驳回或认错人）${number(wrong)} 次，占 ${percent(wrong / decided)}。`,
        `With an outcome: ${number(decided)}; errors (rejected or mistaken): ${number(wrong)}, ${percent(wrong / decided)}.`,
      )
      : say("还没有一次有结果。", "None has an outcome yet.")),
  );
}

export async function outcomes(lists) {
  const { lists: found } = await get("/watchlist/outcomes", { days: DAYS });
  const names = Object.fromEntries(lists.map((each) => [each.list_id, each.name]));
  const total = {};
  for (const each of found) for (const [code, count] of Object.entries(each.became)) total[code] = (total[code] || 0) + count;
  return h(
    "section",
    { class: "outcome-list" },
    h("h2", {}, say("报警的结果（近 90 天）", "What came of alarms, last 90 days")),
    found.length
      ? [
          found.length > 1 ? one(say("全部名单", "All lists"), total) : null,
          found.map((each) => one(names[each.list_id] || each.list_id, each.became)),
        ]
      : h("p", { class: "empty" }, say("近 90 天没有报警。", "There was no alarm in 90 days.")),
  );
}
