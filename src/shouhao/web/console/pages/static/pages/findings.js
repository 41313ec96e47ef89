// Findings: what the detectors said of a night, the heaviest first; who is to be looked at, and what has been judged.

import { get } from "../api.js";
import { field, h, show } from "../dom.js";
import { LEVELS, STATES, both, kindName, levelTag, stateTag, stretch, titled, weight } from "../finding_words.js";
import { trouble } from "../finding_trouble.js";
import { visible } from "../visible.js";
import { scoreBar } from "../waterfall.js";
import { number, pair, say, whole } from "../words.js";

const PAGE = 50;
const REASONS_SHOWN = 10;
const SUBJECTS = ["ring", "account", "device", "ip", "prefix", "payer", "patient", "staff", "session"];
const FILTERS = ["run_id", "level", "kind", "state", "reason"];
// In the memory of the tab: the way back, what was listed, and which one was opened last.
const [BACK, LISTED, LAST] = ["findings", "findings-listed", "finding"];

export async function page(place) {
  const asked = Object.fromEntries([...new URLSearchParams(location.search)].filter(([name]) => FILTERS.includes(name)));
  const head = h("div", {});
  const side = h("aside", { class: "findings-side" });
  const list = h("ol", { class: "findings", "aria-label": say("检测发现", "Findings") });
  const told = h("div", { class: "soft", role: "status" });
  const foot = h("div", { class: "findings-foot" });
  let next = null;
  let shown = 0;
  let asking = 0;
  let scale = null; // of the scores, common to the whole list

  show(
    place,
    h("h1", {}, say("检测发现", "Findings")),
    h("p", { class: "soft" }, say("发现只是指路：记录与普通人差得有多远。是不是倒号，由人核查后判断；每一条都写明依据，也写明有利于当事人的情况。", "A finding points: it says how far records are from other people’s. Whether it is scalping a person judges; each one states what it rests on, and what speaks for the person.")),
    head,
    h("div", { class: "findings-page" }, side, h("section", {}, told, list, foot)),
  );

  const choose = (name, value) => {
    if (value) asked[name] = value;
    else delete asked[name];
    if (name === "run_id") delete asked.reason; // reasons belong to a night
    const query = new URLSearchParams(asked).toString();
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    sessionStorage.setItem(BACK, location.search);
    return load();
  };

  async function load() {
    const mine = ++asking;
    const focused = document.activeElement?.dataset?.focus;
    list.setAttribute("aria-busy", "true");
    try {
      const found = await get("/findings", { ...asked, limit: PAGE });
      if (mine !== asking) return;
      show(list);
      shown = 0;
      if (!found.runs.length) nothingYet();
      else {
        heads(found);
        filters(found);
        add(found);
      }
      if (focused) place.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
    } catch (error) {
      if (mine === asking) show(told, trouble(error, load));
    } finally {
      if (mine === asking) list.removeAttribute("aria-busy");
    }
  }
  async function more(event) {
    const mine = asking;
    event?.target.setAttribute("aria-busy", "true");
    try {
      const found = await get("/findings", { ...asked, limit: PAGE, after: next });
      if (mine === asking) add(found);
    } catch (error) {
      if (mine === asking) show(foot, trouble(error, more));
    }
  }

  function nothingYet() {
    show(told);
    show(head);
    show(side);
    show(
      foot,
      h("div", { class: "card" },
        h("h2", {}, say("还没有检测发现", "No findings yet")),
        h("p", {}, say("由信息科在服务器上分析一晚的日志和预约导出，再收入本系统：", "IT analyses a night’s logs and booking exports on the server, and takes the result in:")),
        h("pre", { class: "code", tabindex: "0" }, "shouhao analyze --access-log access.log --events events.csv --out night\nshouhao findings take night"),
        h("p", { class: "soft" }, say("设定 findings_dir 后，放进该目录的结果会自动收入。收入后刷新本页即可看到。", "With the setting findings_dir, results that are put into that folder are taken in by themselves. Then reload this page.")),
        h("button", { class: "step", onclick: load }, say("刷新", "Reload"))),
    );
  }

  function heads(found) {
    const run = found.runs.find((one) => one.run_id === asked.run_id) || found.runs[0];
    const night = (one) => `${one.name} · ${stretch(one.from_at || one.taken_at, one.to_at || one.taken_at)}`;
    const levels = Object.keys(LEVELS);
    const all = levels.reduce((sum, level) => sum + (found.levels[level] || 0), 0);
    const chip = (level, words, count) =>
      h("button", { class: `level-chip ${level || "all"}`, "aria-pressed": String((asked.level || "") === level), "data-focus": `level-${level}`, onclick: () => choose("level", level) }, h("b", {}, number(count || 0)), h("span", {}, words));
    show(
      head,
      h("div", { class: "filters" },
        field(say("哪一晚", "Night"), h("select", { "data-focus": "night", onchange: (event) => choose("run_id", event.target.value) }, found.runs.map((one) => h("option", { value: one.run_id, selected: one === run }, night(one))))),
        h("p", { class: "soft night-facts" }, say(`收入于 ${whole(run.taken_at)}；读了 ${number(run.hits)} 行日志、${number(run.events)} 条事件；团伙 ${number(run.rings)} 个${run.live ? "；实时分析，仍在增加" : ""}`, `taken in ${whole(run.taken_at)}; ${number(run.hits)} log lines and ${number(run.events)} events read; ${number(run.rings)} rings${run.live ? "; a live analysis that goes on" : ""}`))),
      run.agree ? null : h("p", { class: "note bad" }, say("这一晚的 findings.jsonl 与 report.json 不一致，可能被改动过：请信息科核对原始文件。", "findings.jsonl and report.json of this night do not agree, and may have been changed: let IT check the originals.")),
      h("div", { class: "level-chips", role: "group", "aria-label": say("级别", "Level") }, chip("", say("全部", "All"), all), levels.map((level) => chip(level, pair(LEVELS[level]), found.levels[level]))),
    );
  }

  function filters(found) {
    const select = (name, words, options) =>
      field(words, h("select", { "data-focus": name, onchange: (event) => choose(name, event.target.value) }, h("option", { value: "" }, say("全部", "all")), options.map(([value, title]) => h("option", { value, selected: asked[name] === value }, title))));
    const rows = Object.entries(found.reasons).sort((a, b) => b[1].count - a[1].count || a[0].localeCompare(b[0]));
    const most = Math.max(...rows.map(([, one]) => one.count), 1);
    const bar = ([code, one]) =>
      h("li", {},
        h("button", { class: "reason-bar", "aria-pressed": String(asked.reason === code), "data-focus": `reason-${code}`, onclick: () => choose("reason", asked.reason === code ? "" : code) },
          h("span", { class: "reason-name" }, titled(one) || code),
          h("span", { class: "reason-count" }, number(one.count)),
          scoreBar(one.count, { low: 0, high: most })));
    const chosenIsFar = rows.findIndex(([code]) => code === asked.reason) >= REASONS_SHOWN;
    const wide = matchMedia("(min-width: 60rem)").matches;
    show(
      side,
      h("div", { class: "side-selects" }, select("kind", say("对象", "Subject"), SUBJECTS.map((kind) => [kind, kindName(kind)])), select("state", say("判断", "Judged"), Object.entries(STATES).map(([state, words]) => [state, pair(words)]))),
      rows.length
        ? h("details", { class: "reasons-plot", open: wide || asked.reason },
            h("summary", {}, say("理由（点一条只看它）", "Reasons (press one to see only those)")),
            h("ul", {}, rows.slice(0, chosenIsFar ? rows.length : REASONS_SHOWN).map(bar)),
            !chosenIsFar && rows.length > REASONS_SHOWN ? h("details", {}, h("summary", {}, say(`其余 ${rows.length - REASONS_SHOWN} 种`, `${rows.length - REASONS_SHOWN} others`)), h("ul", {}, rows.slice(REASONS_SHOWN).map(bar))) : null)
        : null,
    );
  }

  function add(found) {
    const first = found.findings[0];
    if (!shown) scale = { low: Math.min(-5, ...Object.values(found.level_from || {})) - 1, high: Math.max(10, first?.score || 0), levelFrom: found.level_from };
    for (const one of found.findings) list.append(row(one));
    shown += found.findings.length;
    next = found.next;
    sessionStorage.setItem(LISTED, JSON.stringify([...list.querySelectorAll("[data-id]")].map((one) => one.dataset.id)));
    const filtered = FILTERS.some((name) => name !== "run_id" && asked[name]);
    if (!shown) {
      show(told);
      show(foot, h("p", { class: "empty" }, filtered ? say("没有符合这些条件的发现。", "No finding fits.") : say("这一晚没有对象达到“一般线索”。这不等于没有人倒号。", "Nobody reached the level of a lead that night. That does not mean that nobody scalps.")), filtered ? h("button", { class: "step", onclick: () => clear() }, say("清除条件", "Clear the filters")) : null);
      return;
    }
    show(told, say(`已列 ${shown} 条${next ? "，还有更多" : ""}，按分数从高到低。`, `${shown} listed${next ? ", and there are more" : ""}, by score.`), " ", h("span", { class: "keys" }, h("kbd", {}, "j"), h("kbd", {}, "k"), say("上下移动，", "move, "), h("kbd", {}, "Enter"), say("打开。", "opens.")), filtered ? [" ", h("button", { class: "plain", onclick: () => clear() }, say("清除条件", "Clear the filters"))] : null);
    show(foot, next ? h("button", { class: "step", onclick: more }, say("再列一些", "List more")) : null);
    const last = sessionStorage.getItem(LAST);
    if (last && shown <= PAGE) list.querySelector(`[data-id="${CSS.escape(last)}"]`)?.classList.add("visited");
  }
  function clear() {
    for (const name of FILTERS) if (name !== "run_id") delete asked[name];
    return choose("level", "");
  }

  function row(one) {
    const gone = one.stands ? null : h("span", { class: "soft" }, say("实时分析已不再认定", "no longer found"));
    const seen = one.seen_before ? h("span", { class: "soft" }, say(`见过 ${one.seen_before} 次`, `seen before: ${one.seen_before}`)) : null;
    return h("li", {},
      h("a", { class: `finding-row ${one.level}`, href: `/finding/${encodeURIComponent(one.finding_id)}`, "data-id": one.finding_id, onclick: () => sessionStorage.setItem(LAST, one.finding_id) },
        h("span", { class: "f-level" }, levelTag(one.level)),
        h("span", { class: "f-what" }, h("span", { class: "f-head" }, h("b", {}, kindName(one.subject.kind)), " ", h("span", { class: "code" }, visible(one.subject.id)), " ", both(one.headline))),
        h("span", { class: "f-when soft" }, h("span", {}, stretch(one.first_at, one.last_at)), one.members ? h("span", {}, say(`成员 ${one.members}`, `members ${one.members}`)) : null),
        h("span", { class: "f-score" }, h("b", {}, weight(one.score)), scoreBar(one.score, scale)),
        h("span", { class: one.speaks_for ? "f-for" : "f-for none" }, one.speaks_for ? say(`有利情况 ${one.speaks_for}`, `in its favour ${one.speaks_for}`) : say("无有利情况", "none in its favour")),
        h("span", { class: "f-state" }, stateTag(one.state), seen, gone)));
  }

  document.addEventListener("keydown", async (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (event.key !== "j" && event.key !== "k") return;
    const rows = [...list.querySelectorAll(".finding-row")];
    const at = rows.indexOf(document.activeElement);
    const wanted = at < 0 ? Math.max(0, rows.findIndex((one) => one.classList.contains("visited"))) : at + (event.key === "j" ? 1 : -1);
    if (wanted >= rows.length && next) {
      await more();
      list.querySelectorAll(".finding-row")[wanted]?.focus();
    } else rows[Math.min(rows.length - 1, Math.max(0, wanted))]?.focus();
  });

  sessionStorage.setItem(BACK, location.search);
  await load();
}
