// Two versions of a policy side by side: as sentences, and rule by rule.

import { h, table } from "../dom.js";
import { pair, say, whole } from "../words.js";
import { matters, policyOf, ruleValue, rulesOf } from "./rules.js";
import { scopeWords, sentences, valueWords } from "./words.js";

const same = (one, other) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

// The rules that differ where they play a part on either side: [rule, before, after], in words.
export function differences(kind, before, after) {
  const none = "—";
  // What plays a part on one side alone, and says nothing there, is no difference.
  const empty = (one, bodies) => bodies.every((body) => !body || !matters(one, body) || [null, "", 0].includes(ruleValue(one, body)));
  const told = (one, body) => (body && matters(one, body) ? valueWords(one, ruleValue(one, body)) : none);
  return rulesOf(policyOf(kind))
    .filter((one) => (before && matters(one, before)) || (after && matters(one, after)))
    .filter((one) => (told(one, before) === none || told(one, after) === none ? !empty(one, [before, after]) : !same(ruleValue(one, before), ruleValue(one, after))))
    .map((one) => [one, told(one, before), told(one, after)]);
}

// Both sides as sentences, what differs marked; then the rules one by one.
export function comparison(kind, before, after, { was = say("现行", "Now"), becomes = say("改为", "Then") } = {}) {
  const [old, next] = [sentences(kind, before), sentences(kind, after)];
  const side = (title, lines, others, tag) => h("div", { class: "side" }, h("h3", {}, title), lines.map((line) => h("p", {}, others.includes(line) ? line : h(tag, {}, line))));
  const rules = differences(kind, before, after);
  if (!rules.length) return h("p", { class: "note" }, say("与现行内容没有不同。", "Nothing differs from what holds now."));
  return h(
    "div",
    { class: "comparison" },
    h("div", { class: "sides" }, side(was, old, next, "del"), side(becomes, next, old, "ins")),
    table([say("规则", "Rule"), was, becomes], rules.map(([one, left, right]) => [pair(one.words), h("del", {}, left), h("ins", {}, right)]), ""),
  );
}

const WHAT = {
  add: ["新内容", "New words"],
  roll_back: ["恢复旧版", "Roll back"],
  retire: ["停用", "Retire"],
};

const follows = (next, named) => (next.version ? say(`“${scopeWords(next.kind, named)}”`, `“${scopeWords(next.kind, named)}”`) : say("系统默认", "the built-in default"));
const crossed = (next, named) => (next.also.length ? say(`，其中${next.also.map((one) => scopeWords(one, named)).join("、")}按该号别的策略`, `, and for ${next.also.map((one) => scopeWords(one, named)).join(", ")} the policy of their kind`) : "");

// What a request for a change says, for whoever decides: whose rules, from when, and the difference.
export function askedChange(payload, named) {
  const from = payload.effective_at_us === null ? say("批准后立即生效", "as soon as it is agreed to") : say(`自 ${whole(new Date(payload.effective_at_us / 1000))} 起`, `from ${whole(new Date(payload.effective_at_us / 1000))}`);
  const what = payload.what === "roll_back" ? say(`恢复第 ${payload.of_version} 版`, `Roll back to version ${payload.of_version}`) : pair(WHAT[payload.what]);
  const other = payload.before && payload.kind.startsWith("release:") && (payload.before.kind !== payload.kind || !payload.before.version);
  return h(
    "div",
    {},
    h("p", {}, h("b", {}, scopeWords(payload.kind, named)), " · ", what, " · ", from),
    other ? h("p", { class: "soft" }, say(`现在没有自己的策略，按${follows(payload.before, named)}执行。`, `It has no policy of its own now: ${follows(payload.before, named)} rules.`)) : null,
    payload.before?.also.length ? h("p", { class: "soft" }, say(`其中${payload.before.also.map((one) => scopeWords(one, named)).join("、")}现按该号别的策略，改后改按这里。`, `Of its sessions, ${payload.before.also.map((one) => scopeWords(one, named)).join(", ")} follow the policy of their kind now, and this one then.`)) : null,
    payload.follows ? h("p", { class: "soft" }, say(`停用后按${follows(payload.follows, named)}执行${crossed(payload.follows, named)}。`, `Afterwards ${follows(payload.follows, named)} rules${crossed(payload.follows, named)}.`)) : null,
    comparison(payload.kind, payload.before && payload.before.body, payload.follows ? payload.follows.body : payload.body),
  );
}
