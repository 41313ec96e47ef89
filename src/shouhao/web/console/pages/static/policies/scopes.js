// Whose rules: the hospital, its kinds of sessions, departments and doctors as a tree, and which policy wins where.

import { h } from "../dom.js";
import { number, say } from "../words.js";
import { SESSION_KINDS } from "./rules.js";
import { briefly, scopeWords } from "./words.js";

const SHOWN = 200; // more doctors than that are found by typing

// Names by id, and what stands by scope.
export function index(listed) {
  return {
    departments: Object.fromEntries(listed.departments.map((one) => [one.department_id, one])),
    doctors: Object.fromEntries(listed.doctors.map((one) => [one.doctor_id, one])),
    stands: Object.fromEntries(listed.scopes.map((one) => [one.scope, one])),
    pending: listed.pending.reduce((found, one) => ({ ...found, [one.kind]: (found[one.kind] || 0) + 1 }), {}),
    fallback: listed.default,
  };
}

const own = (known, scope) => known.stands[scope] && !known.stands[scope].inherits;

function said(known, scope, department) {
  const kinds = Object.keys(SESSION_KINDS).filter((kind) => own(known, `kind:${kind}`));
  if (own(known, scope)) return h("span", { class: "own" }, briefly(known.stands[scope].body));
  if (scope === "everywhere") return h("span", { class: "soft" }, say("系统默认：", "built-in: "), briefly(known.fallback));
  if (department && own(known, `department:${department}`)) return h("span", { class: "soft" }, say("按科室", "as its department"));
  if (!scope.startsWith("kind:") && kinds.length) return h("span", { class: "soft" }, say(`${kinds.map((kind) => SESSION_KINDS[kind][0]).join("、")}按号别，其余按全院`, `${kinds.map((kind) => SESSION_KINDS[kind][1].toLowerCase()).join(", ")} as their kind, others as the hospital`));
  return h("span", { class: "soft" }, say("按全院", "as the hospital"));
}

export function scopeTree(known, chosen) {
  const one = (scope, name, department) =>
    h(
      "a",
      { href: `/policies?scope=${encodeURIComponent(scope)}`, class: "scope", "aria-current": scope === chosen ? "page" : null },
      h("b", {}, name),
      known.pending[`release:${scope}`] ? h("span", { class: "tag warn" }, say("待批", "waits")) : null,
      known.stands[scope]?.next_version ? h("span", { class: "tag" }, say("有计划", "planned")) : null,
      said(known, scope, department),
    );
  const doctorsOf = (id) => Object.values(known.doctors).filter((each) => each.department_id === id);
  const departments = Object.values(known.departments).map((department) => {
    const people = doctorsOf(department.department_id);
    const mine = people.some((each) => own(known, `doctor:${each.doctor_id}`) || chosen === `doctor:${each.doctor_id}`);
    return h(
      "li",
      { "data-name": [department.zh, department.en, ...people.flatMap((each) => [each.zh, each.en])].join(" ").toLowerCase() },
      one(`department:${department.department_id}`, say(department.zh, department.en)),
      people.length
        ? h("details", { open: mine }, h("summary", {}, say(`医生 ${number(people.length)}`, `${number(people.length)} doctors`)), h("ul", {}, people.slice(0, SHOWN).map((each) => h("li", {}, one(`doctor:${each.doctor_id}`, `${say(each.zh, each.en || each.zh)} ${say(each.title_zh, "")}`.trim(), department.department_id)))))
        : null,
    );
  });
  const search = h("input", { type: "search", placeholder: say("找科室或医生", "Find a department or doctor"), "aria-label": say("找科室或医生", "Find a department or doctor"), oninput: () => { const asked = search.value.trim().toLowerCase(); departments.forEach((each) => { each.hidden = Boolean(asked) && !each.dataset.name.includes(asked); }); } });
  return h(
    "nav",
    { class: "scopes", "aria-label": say("范围", "Scopes") },
    h("p", { class: "soft" }, say("谁说了算：医生 › 科室 › 号别 › 全院，范围窄的优先。", "Who wins: doctor › department › kind › hospital; the narrowest.")),
    h("ul", {}, h("li", {}, one("everywhere", scopeWords("release:everywhere")), h("ul", {}, Object.entries(SESSION_KINDS).map(([kind, words]) => h("li", {}, one(`kind:${kind}`, say(...words))))))),
    h("h3", {}, say("科室与医生", "Departments and doctors")),
    departments.length > 6 ? search : null,
    h("ul", {}, departments),
  );
}

// Which narrower scopes do not follow this one, for whoever changes it.
export function exceptions(known, scope) {
  const [what, which] = scope.split(":");
  const within = (other) => {
    const [kind, id] = other.split(":");
    if (other === scope || other === "everywhere" || known.stands[other].inherits) return false;
    if (what === "everywhere") return true;
    if (what === "kind") return kind === "department" || kind === "doctor";
    return what === "department" && kind === "doctor" && known.doctors[id]?.department_id === which;
  };
  return Object.keys(known.stands).filter(within);
}
