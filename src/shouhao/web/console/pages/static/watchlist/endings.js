// What ends or must be reviewed within 30 days: a bar a day, and the entries themselves, by list and by what is due.

import { get } from "../api.js";
import { field, h, s, show, table } from "../dom.js";
import { day, number, pair, say } from "../words.js";
import { STATES } from "./words.js";

const DAYS = 30;
const DAY_MS = 86_400_000;
const SHOWN = 20;

// Each entry once, by what comes first.
function due(one, from) {
  const review = one.review_at && one.review_at < one.expires_at;
  const when = new Date(review ? one.review_at : one.expires_at);
  return { ...one, what: review ? "reviews" : "ends", when, at: Math.floor((when - from) / DAY_MS) };
}

function timeline(found, from) {
  const narrow = matchMedia("(max-width:40rem)").matches;
  const [width, height, left, base] = [narrow ? 350 : 560, 130, 44, 104];
  const step = (width - left - 8) / (DAYS + 1);
  const place = (n) => left + (n + 1) * step;
  const days = new Map();
  for (const one of found) {
    const at = Math.max(-1, Math.min(DAYS - 1, one.at));
    const counts = days.get(at) || { ends: 0, reviews: 0 };
    counts[one.what] += 1;
    days.set(at, counts);
  }
  const top = Math.max(...[...days.values()].map((one) => one.ends + one.reviews), 1);
  const tall = (count) => (count / top) * (base - 16);
  const bars = [...days].map(([at, counts]) => {
    const x = place(at) + 1;
    const words = at < 0 ? say("已过期限", "overdue") : day(new Date(from.getTime() + at * DAY_MS));
    return s(
      "g",
      {},
      s("title", {}, say(`${words}：到期 ${counts.ends}，复核 ${counts.reviews}`, `${words}: ${counts.ends} end, ${counts.reviews} to review`)),
      s("rect", { x, width: step - 2, y: base - tall(counts.ends), height: tall(counts.ends), class: "ends" }),
      s("rect", { x, width: step - 2, y: base - tall(counts.ends + counts.reviews), height: tall(counts.reviews), class: "reviews" }),
    );
  });
  const every = narrow ? 10 : 5;
  const labels = Array.from({ length: DAYS / every }, (_, n) => n * every);
  const title = say("今后 30 天", "The next 30 days");
  return h(
    "figure",
    { class: "figure endings" },
    h("figcaption", {}, title),
    s(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title, class: "plot" },
      s("text", { x: left - 6, y: 20, "text-anchor": "end" }, number(top)),
      s("text", { x: left - 6, y: base, "text-anchor": "end" }, "0"),
      s("line", { x1: left, x2: width - 8, y1: base, y2: base, class: "grid" }),
      bars,
      s("line", { x1: place(0), x2: place(0), y1: 8, y2: base + 4, class: "today" }),
      labels.map((n) => s("text", { x: place(n), y: base + 18, "text-anchor": n ? "middle" : "start" }, n ? say(`${n} 天后`, `in ${n} d`) : say("今天", "today"))),
    ),
    h("ul", { class: "legend" }, h("li", { class: "key-ends" }, say("到期", "ends")), h("li", { class: "key-reviews" }, say("须复核", "to review"))),
  );
}

export async function endings(lists, open) {
  const { now, total, endings: found } = await get("/watchlist/endings", { days: DAYS, limit: 500 });
  const names = Object.fromEntries(lists.map((one) => [one.list_id, one.name]));
  const from = new Date(now);
  const all = found.map((one) => due(one, from)).sort((a, b) => a.when - b.when);
  const results = h("div", {});
  const chosen = { list_id: "", what: "" };
  const left = (one) => (one.at < 0 ? h("span", { class: "tag bad" }, say("已过期限", "overdue")) : say(`${one.at} 天`, `${one.at} days`));
  function draw() {
    const wanted = all.filter((one) => (!chosen.list_id || one.list_id === chosen.list_id) && (!chosen.what || one.what === chosen.what));
    show(
      results,
      wanted.length ? timeline(wanted, from) : null,
      table(
        [say("条目", "Entry"), say("名单", "List"), say("要办的", "Due"), say("日期", "Day"), say("还有", "Left"), ""],
        wanted.slice(0, SHOWN).map((one) => [
          h("span", { class: "code" }, one.entry_id),
          names[one.list_id] || one.list_id,
          [one.what === "ends" ? say("到期", "ends") : say("复核", "review"), one.state === "approved" ? null : ` · ${pair(STATES[one.state])}`],
          day(one.when),
          left(one),
          h("button", { class: "plain", onclick: () => open(one.entry_id) }, say("打开", "Open")),
        ]),
        say("30 天内没有到期或须复核的条目。", "Nothing ends or needs a review within 30 days."),
      ),
      wanted.length > SHOWN ? h("p", { class: "soft" }, say(`只列出最近的 ${SHOWN} 条，共 ${wanted.length} 条。`, `The nearest ${SHOWN} of ${wanted.length}.`)) : null,
      total > found.length ? h(
        "p",
        { class: "note warn" },
        say(`共 ${number(total)} 条，只取了最近的 ${found.length} 条。`, `${number(total)} in all; the nearest ${found.length} are here.`),
      ) : null,
    );
  }
  const choose = (name, options) =>
    h("select", { name, onchange: (event) => { chosen[name] = event.target.value; draw(); } }, options.map(([value, words]) => h("option", { value }, words)));
  draw();
  return h(
    "section",
    { class: "ending-list" },
    h("h2", {}, say("即将到期或须复核", "What ends or needs a review soon")),
    all.length
      ? h(
          "div",
          { class: "filters" },
          field(say("名单", "List"), choose("list_id", [["", say("全部", "all")], ...lists.map((one) => [one.list_id, one.name])])),
          field(say("要办的", "Due"), choose("what", [["", say("全部", "all")], ["ends", say("到期", "ends")], ["reviews", say("复核", "review")]])),
        )
      : null,
    results,
  );
}
