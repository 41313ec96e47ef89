// Policies: whose rules hold where, in words; every version with who and why; and a change asked for, tried and compared.

import { get, post } from "../api.js";
import { form, h, put, refusal, show } from "../dom.js";
import { askCard } from "../policies/ask.js";
import { askedChange, comparison } from "../policies/compare.js";
import { policyForm } from "../policies/form.js";
import { POLICIES, policyOf } from "../policies/rules.js";
import { exceptions, index, scopeTree } from "../policies/scopes.js";
import { scopeWords, sentences } from "../policies/words.js";
import { pair, say, whole } from "../words.js";

const STATES = { in_force: ["现行", "in force", "good"], planned: ["计划", "planned", "warn"], over: ["已过", "over", ""], never: ["未生效", "never began", ""] };
const PATHS = { booking_limits: "/policies/booking_limits", binding: "/policies/binding", antenatal: "/antenatal/policies" };

const scopePath = (kind) => `/release-policies/${encodeURIComponent(kind.slice("release:".length))}`;

// One shape for all kinds: what holds, what would hold without it, all versions, what waits.
async function standing(kind) {
  if (kind.startsWith("release:")) {
    const { rules, rules_without: without, versions, pending, came_to_nothing } = await get(scopePath(kind));
    return { rules, without, versions, pending, came_to_nothing, newest: versions.at(-1)?.version || 0 };
  }
  const found = await get(PATHS[kind]);
  const now = Date.now();
  const begun = found.versions.filter((one) => new Date(one.effective_at) <= now).map((one) => one.version);
  const inForce = found.in_force_version || Math.max(0, ...begun);
  const versions = found.versions.map((one) => ({ ...one, state: one.version === inForce ? "in_force" : one.version > inForce ? "planned" : "over" }));
  const rules = found.in_force ? { kind, version: found.in_force_version, body: found.in_force, also: [] } : null;
  return { rules, without: null, versions, pending: found.pending, came_to_nothing: found.came_to_nothing, newest: found.versions.at(-1)?.version || 0 };
}

const byWhom = (one) => {
  const made = one.made_by;
  if (!one.staff_id) return say("系统初始设置", "Set up with the system");
  const asked = made.staff_name || one.staff_id;
  return made.approved_by_name ? say(`${asked} 申请，${made.approved_by_name} 批准`, `${asked} asked, ${made.approved_by_name} agreed`) : asked;
};

function waits(asks, named, again) {
  return asks.map((one) =>
    h(
      "section",
      { class: "card waits" },
      h("h2", {}, h("span", { class: "tag warn" }, say("待批准", "waits for approval")), " ", say(`${one.asked_by_name || ""} ${whole(one.asked_at)} 申请`, `${one.asked_by_name || ""} asked ${whole(one.asked_at)}`)),
      h("p", {}, say("理由：", "Why: "), one.reason),
      h("details", {}, h("summary", {}, say("会改变什么", "What would change")), askedChange(one.payload, named)),
      h("p", { class: "soft" }, h("a", { href: `/approvals#${one.approval_id}` }, say("在审批页查看", "Open under approvals")), say("；有效期到 ", "; good until "), whole(one.ends_at)),
      one.mine
        ? form({ class: "filters" }, async (fields) => { await post(`/approvals/${one.approval_id}/withdrawal`, { reason: fields.reason }); await again(); }, h("label", { class: "field" }, h("span", {}, say("撤回的理由", "Why it is withdrawn")), h("input", { name: "reason", required: true, maxlength: "500" })), h("button", { class: "step" }, say("撤回申请", "Withdraw")))
        : null,
    ),
  );
}

function ended(asks, named) {
  if (!asks.length) return null;
  return h(
    "details",
    {},
    h("summary", {}, say(`没有成为版本的申请（最近 ${asks.length} 件）`, `Requests that came to nothing (the last ${asks.length})`)),
    asks.map((one) =>
      h("div", { class: "card" }, h("p", {}, h("b", {}, one.asked_by_name || ""), " ", whole(one.asked_at), "：", one.reason), one.stopped ? h("p", { class: "note warn" }, say(one.stopped.zh, one.stopped.en)) : h("p", { class: "note" }, say(`${one.refused_by_name || ""} 没有批准：`, `${one.refused_by_name || ""} did not agree: `), one.refused_because), h("details", {}, h("summary", {}, say("内容", "What it was")), askedChange(one.payload, named))),
    ),
  );
}

// One policy: what holds, what is planned and asked for, what it was; and for the outpatient office, changing it.
async function onePolicy(place, kind, named, may) {
  const stands = await standing(kind);
  const again = () => onePolicy(place, kind, named, may);
  const title = scopeWords(kind, named);
  const own = stands.rules && stands.rules.kind === kind && stands.rules.version > 0;
  const work = h("div", { class: "policy-work" });
  const asked = async () => { await again(); window.scrollTo({ top: 0 }); };
  const basic = { act: "policy_change", kind, of_version: null, effective_at_us: null, before: stands.rules, follows: null };
  const paths = kind.startsWith("release:") ? { add: scopePath(kind), roll_back: `${scopePath(kind)}/roll-back`, retire: `${scopePath(kind)}/retire` } : { add: PATHS[kind] };
  const scope = kind.startsWith("release:") ? kind.slice("release:".length) : null;

  const preview = (change, back) => {
    show(work, askCard({ scope, fault: () => false, ...change }, named, { onasked: asked, onback: back }));
    work.scrollIntoView({ block: "start" });
  };
  const edit = (start) => {
    const told = h("div", {});
    const fields = policyForm(policyOf(kind), start);
    const fault = (error) => {
      if (!error.field?.startsWith("body.")) return false;
      show(work, editing);
      if (!fields.fault(error.field.slice("body.".length), error.message.replace(/^body\.[\w.[\]-]+[:：]\s*/, ""))) show(told, refusal(error));
      return true;
    };
    const editing = form(
      { class: "card" },
      async () => {
        show(told);
        if (!fields.check()) return;
        const body = fields.body();
        preview({ payload: { ...basic, what: "add", body }, path: paths.add, body: { body }, fault }, () => show(work, editing));
      },
      h("h2", {}, say(`修改：${title}`, `Change: ${title}`)),
      told,
      fields.element,
      h("div", { class: "steps" }, h("button", { class: "step first" }, scope === null && kind !== "antenatal" ? say("预览差异", "Preview the difference") : say("预览：差异与试算", "Preview: difference and dry run")), h("button", { class: "step", type: "button", onclick: () => show(work) }, say("不改了", "Leave it"))),
    );
    editing.noValidate = true;
    show(work, editing);
    editing.scrollIntoView({ block: "start" });
  };
  const rollBack = (version) => {
    const sent = scope === null ? { body: version.body } : { version: version.version };
    const follows = version.body.kind === "inherit" ? stands.without : null;
    preview({ payload: { ...basic, what: "roll_back", of_version: version.version, body: version.body, follows }, path: paths.roll_back || paths.add, body: sent }, () => show(work));
  };
  const retire = () => preview({ payload: { ...basic, what: "retire", body: { kind: "inherit" }, follows: stands.without }, path: paths.retire, body: {} }, () => show(work));

  const now = stands.versions.find((one) => one.state === "in_force");
  const planned = stands.versions.filter((one) => one.state === "planned");
  const others = scope === null ? [] : exceptions(named, scope);
  const past = [...stands.versions].reverse().map((one) => {
    const state = STATES[one.state];
    const inForce = one.state === "in_force";
    const against = !inForce && stands.rules && one.body.kind !== "inherit";
    return h(
      "li",
      {},
      h("p", {}, h("b", {}, say(`第 ${one.version} 版`, `Version ${one.version}`)), " ", h("span", { class: `tag ${state[2]}` }, pair(state)), " ", say(`自 ${whole(one.effective_at)} 起`, `from ${whole(one.effective_at)}`)),
      h("p", {}, one.reason),
      h("p", { class: "soft" }, byWhom(one), " · ", whole(one.created_at)),
      h("details", {}, h("summary", {}, against ? say("内容，与现行比较", "What it says, against what holds now") : say("内容", "What it says")), against ? comparison(kind, one.body, stands.rules.body, { was: say(`第 ${one.version} 版`, `Version ${one.version}`), becomes: say("现行", "Now") }) : sentences(kind, one.body).map((line) => h("p", {}, line))),
      may && !inForce ? h("button", { class: "step", onclick: () => rollBack(one) }, say("恢复此版", "Roll back to this")) : null,
    );
  });
  show(
    place,
    h("h2", { class: "scope-title" }, title),
    waits(stands.pending, named, again),
    h(
      "section",
      { class: "card rules-now" },
      h("h2", {}, say("现行", "In force"), " ", own ? h("span", { class: "tag good" }, say(`第 ${stands.rules.version} 版`, `version ${stands.rules.version}`)) : h("span", { class: "tag" }, stands.rules && stands.rules.version === 0 ? say("系统默认", "built-in default") : stands.rules ? say(`按“${scopeWords(stands.rules.kind, named)}”第 ${stands.rules.version} 版`, `as “${scopeWords(stands.rules.kind, named)}”, version ${stands.rules.version}`) : say("尚无", "none yet"))),
      sentences(kind, stands.rules && stands.rules.body).map((line) => h("p", {}, line)),
      own && now ? h("p", { class: "soft" }, say(`自 ${whole(now.effective_at)} 起；`, `Since ${whole(now.effective_at)}; `), byWhom(now), "：", now.reason) : null,
      stands.rules?.also.length ? h("p", { class: "note" }, say(`其中${stands.rules.also.map((one) => scopeWords(one, named)).join("、")}按该号别自己的策略。`, `Of its sessions, ${stands.rules.also.map((one) => scopeWords(one, named)).join(", ")} follow the policy of their kind.`)) : null,
      others.length ? h("p", { class: "note" }, say("范围更窄、不受这里影响的：", "Narrower ones that do not follow this: "), others.map((one, n) => [n ? say("、", ", ") : "", h("a", { href: `/policies?scope=${encodeURIComponent(one)}` }, scopeWords(`release:${one}`, named))])) : null,
      may
        ? h("div", { class: "steps" }, h("button", { class: "step first", onclick: () => edit(planned.at(-1)?.body.kind !== "inherit" && planned.length ? planned.at(-1).body : stands.rules ? stands.rules.body : {}) }, !stands.rules ? say("首次设置", "Set it up") : own || scope === null || scope === "everywhere" ? say("修改", "Change") : say("为此范围单独设置", "Set one of its own")), own && paths.retire ? h("button", { class: "step", onclick: retire }, scope === "everywhere" ? say("停用，按系统默认", "Retire: the built-in default") : say("停用，按更宽的范围", "Retire: follow the wider one")) : null)
        : null,
    ),
    planned.map((one) => h("section", { class: "card" }, h("h2", {}, h("span", { class: "tag warn" }, say("计划", "planned")), say(` 第 ${one.version} 版，自 ${whole(one.effective_at)} 起`, ` version ${one.version}, from ${whole(one.effective_at)}`)), h("p", { class: "soft" }, byWhom(one), "：", one.reason), comparison(kind, stands.rules && stands.rules.body, one.body.kind === "inherit" ? stands.without.body : one.body))),
    work,
    h("h2", {}, say("历史", "History")),
    past.length ? h("ol", { class: "line card past", reversed: true }, past) : h("p", { class: "empty" }, !stands.rules ? say("还没有设置过。", "Nothing was ever set.") : scope === null || scope === "everywhere" ? say("还没有设置过，按系统默认。", "Nothing was ever set; the built-in default holds.") : say("这个范围还没有过自己的策略。", "This scope never had a policy of its own.")),
    ended(stands.came_to_nothing, named),
  );
}

export async function page(place, { who }) {
  const asked = new URLSearchParams(location.search);
  const what = POLICIES[asked.get("what")] ? asked.get("what") : "release";
  const may = who.operator.roles.includes("outpatient_office");
  const listed = await get("/release-policies");
  const named = index(listed);
  const scope = asked.get("scope") || "everywhere";
  const tabs = h("nav", { class: "policy-tabs", "aria-label": say("策略种类", "Kinds of policies") }, h("ul", {}, Object.entries(POLICIES).map(([name, policy]) => h("li", {}, h("a", { href: name === "release" ? "/policies" : `/policies?what=${name}`, "aria-current": name === what ? "page" : null }, pair(policy.words), name === "release" && listed.pending.length ? h("span", { class: "tag warn" }, listed.pending.length) : null)))));
  const detail = h("div", { class: "detail" }, h("p", { class: "empty" }, say("正在载入…", "Loading…")));
  show(place, h("h1", {}, say("策略", "Policies")), h("p", { class: "soft" }, say("策略是带版本的数据：旧版永不改动，每次更改一人申请、另一人批准。", "Policies are versioned data: no version is ever changed, and of each change one asks and another decides.")), tabs);
  if (what === "release") {
    const tree = h("details", { class: "card scopes-card", open: innerWidth > 960 || !asked.get("scope") }, h("summary", {}, say("范围", "Scopes"), h("span", { class: "soft" }, ` · ${scopeWords(`release:${scope}`, named)}`)), scopeTree(named, scope));
    put(place, h("div", { class: "policies" }, tree, detail));
  } else put(place, detail);
  try {
    await onePolicy(detail, what === "release" ? `release:${scope}` : what, named, may);
  } catch (error) {
    show(detail, refusal(error));
  }
}
