// The watchlist: what waits, lists and their calibration, what ends soon, what came of alarms, entries, bundles.

import { get } from "../api.js";
import { h, refusal, show } from "../dom.js";
import { bundleShown, bundles } from "../watchlist/bundles.js";
import { endings } from "../watchlist/endings.js";
import { entryShown } from "../watchlist/entry.js";
import { proposing, search } from "../watchlist/entries.js";
import { listsTable, newList } from "../watchlist/lists.js";
import { outcomes } from "../watchlist/outcomes.js";
import { thresholdsShown } from "../watchlist/thresholds.js";
import { approvalsWaiting, closePairs } from "../watchlist/waiting.js";
import { KEEPERS } from "../watchlist/words.js";
import { say } from "../words.js";

// A part that cannot be had says so in its place, and the others stand.
const part = (promise) => promise.catch(refusal);

export async function page(place, { who }) {
  const { roles } = who.operator;
  const keeps = roles.some((role) => KEEPERS.includes(role));
  const detail = h("section", { class: "detail", "aria-label": say("详情", "Detail") });
  const again = async (words) => {
    await page(place, { who });
    if (words) show(place.querySelector("[role=status]"), h("p", { class: "note" }, words));
  };
  const asked = (made) =>
    again([
      say("已提交，等待其他人批准，批准后自动执行。", "Asked; others decide, and it happens by itself once they agree. "),
      h("a", { href: `/approvals#${made.approval_id}` }, say("查看申请", "See the request")),
    ]);
  const { lists } = await get("/watchlist/lists");
  const given = { roles, keeps, asked, again };
  const shown = (promise) => promise.catch((error) => show(detail, refusal(error)));
  const openEntry = (entryId) => shown(entryShown(detail, entryId, given));
  const openBundle = (bundleId) => shown(bundleShown(detail, bundleId, given));
  const openList = (one) => shown(thresholdsShown(detail, one, given));
  const [waiting, pairs, ends, became, came] = await Promise.all([
    part(approvalsWaiting()),
    part(closePairs(given)),
    part(endings(lists, openEntry)),
    part(outcomes(lists)),
    part(bundles(lists, given, openBundle)),
  ]);
  show(
    place,
    h("h1", {}, say("布控名单", "Watchlist")),
    h("div", { role: "status" }),
    waiting,
    pairs,
    listsTable(lists, openList),
    keeps ? newList(lists, again) : null,
    detail,
    h("div", { class: "grid2" }, ends, became),
    search(lists, openEntry),
    keeps && lists.length ? proposing(lists, asked) : null,
    came,
  );
  const wanted = location.hash.slice(1);
  if (/^we_\w+$/.test(wanted)) await openEntry(wanted);
  if (/^wb_\w+$/.test(wanted)) await openBundle(wanted);
}
