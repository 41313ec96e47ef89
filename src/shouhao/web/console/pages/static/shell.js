// The shell: who is signed in, which pages are theirs, and the page that the address names.

import { believe, post, send, session } from "./api.js";
import { h, refusal, show } from "./dom.js";
import { ROLES, choose, documentLanguage, isEnglish, pair, say } from "./words.js";

// name: [words, roles to whom it is shown; none: everybody]
const PAGES = {
  wall: [["监控墙", "Wall"], ["monitoring", "security", "police_liaison", "auditor"]],
  morning: [["今日放号", "Morning"], ["outpatient_office", "it", "auditor", "approver"]],
  findings: [["检测发现", "Findings"], ["security", "outpatient_office", "it", "police_liaison", "auditor"]],
  desk: [["患者服务台", "Patients’ desk"], ["window", "reviewer", "outpatient_office", "approver"]],
  policies: [["策略", "Policies"], ["outpatient_office", "approver", "it", "auditor"]],
  tips: [["举报", "Tips"], ["security", "outpatient_office", "police_liaison", "auditor"]],
  cameras: [["摄像机", "Cameras"], ["security", "monitoring", "it", "auditor", "data_protection", "administrator"]],
  watchlist: [["布控名单", "Watchlist"], ["security", "police_liaison", "approver", "data_protection", "auditor"]],
  approvals: [["审批", "Approvals"], []],
  staff: [["人员", "Staff"], ["administrator", "auditor"]],
  register: [["留痕", "Access register"], ["auditor", "data_protection"]],
  law: [["合规", "Law"], ["security", "data_protection", "auditor", "administrator", "it"]],
};

const place = document.getElementById("app");
const words = document.documentElement.dataset;

function mine(operator) {
  return Object.entries(PAGES).filter(([, [, roles]]) => !roles.length || roles.some((role) => operator.roles.includes(role)));
}

function frame(who, name, content) {
  const links = mine(who.operator).map(([page, [title]]) =>
    h("li", {}, h("a", { href: `/${page}`, "aria-current": page === name ? "page" : null }, pair(title))),
  );
  const guard = who.operator.roles.includes("guard") ? h("li", {}, h("a", { href: "/guard" }, say("保安页面", "Guard"))) : null;
  return [
    h("a", { class: "skip", href: "#main" }, say("跳到正文", "Skip to the page")),
    h(
      "header",
      { class: "top" },
      h("a", { class: "brand", href: "/" }, say(words.hospitalZh, words.hospitalEn), h("small", {}, say("守号控制台", "Shouhao console"))),
      h("nav", { "aria-label": say("页面", "Pages") }, h("ul", {}, links, guard)),
      h(
        "div",
        { class: "who" },
        h("span", {}, who.operator.name, h("small", {}, who.operator.roles.map((role) => pair(ROLES[role]) || role).join(say("、", ", ")))),
        h("button", { class: "plain", lang: say("en", "zh-CN"), onclick: () => { choose(isEnglish() ? "zh" : "en"); location.reload(); } }, say("English", "中文")),
        h("button", { class: "plain", onclick: async () => { await send("DELETE", "/session"); location.assign("/sign-in"); } }, say("退出", "Sign out")),
      ),
    ),
    h("main", { id: "main", tabindex: "-1" }, content),
  ];
}

async function begin() {
  document.documentElement.lang = documentLanguage();
  const [name = "wall", ...rest] = location.pathname.split("/").filter(Boolean);
  const who = words.cookie === "yes" ? await session() : null;
  if (name === "sign-in" || !who || who.stage !== "full") {
    const { page } = await import("./pages/sign_in.js");
    const back = name === "sign-in" ? new URLSearchParams(location.search).get("back") : location.pathname + location.search;
    document.title = say("登录 · 守号控制台", "Sign in · Shouhao console");
    await page(place, { who, back: back && /^\/(?!\/)[\w\-/?=&.:%]*$/.test(back) ? back : "/", post, believe });
    place.removeAttribute("aria-busy");
    return;
  }
  const own = mine(who.operator).map(([page]) => page);
  if (name === "wall" && !own.includes("wall") && own.length) {
    location.replace(`/${own[0]}`);
    return;
  }
  const content = h("div", { class: `page page-${name}` }, h("p", { class: "empty" }, say("正在载入…", "Loading…")));
  show(place, frame(who, name, content));
  place.removeAttribute("aria-busy");
  const title = PAGES[name] ? pair(PAGES[name][0]) : name === "finding" ? say("检测发现", "Finding") : say("报警", "Alarm");
  document.title = `${title} · ${say("守号控制台", "Shouhao console")}`;
  try {
    const { page } = await import(`./pages/${name.replace("-", "_")}.js`);
    await page(content, { who, rest });
  } catch (error) {
    show(content, refusal(error));
  }
}

begin().catch((error) => show(place, refusal(error)));
