// The form of a policy, made from its rules: right inputs, units, what each is for, and a fault at the field it is about.

import { h, show } from "../dom.js";
import { pair, say } from "../words.js";
import { TIERS, matters, ruleValue, rulesOf } from "./rules.js";
import { UNITS, spanWords, timeWords } from "./words.js";

const INPUTS = {
  span(one, value) {
    const [size] = value ? UNITS.find(([each]) => value % each === 0) : UNITS.at(-2);
    const count = h("input", { type: "number", min: 0, step: 1, inputmode: "numeric", required: true, value: String(value / size), "aria-label": pair(one.words) });
    const unit = h("select", { "aria-label": say("单位", "Unit") }, UNITS.map(([each, words]) => h("option", { value: String(each), selected: each === size }, pair(words))));
    return { element: h("span", { class: "with-unit" }, count, unit), input: count, read: () => whole(count.value) * Number(unit.value) };
  },
  number(one, value) {
    const input = h("input", { type: "number", min: one.least, max: one.most, step: 1, inputmode: "numeric", required: true, value: String(value), "aria-label": pair(one.words) });
    return { element: h("span", { class: "with-unit" }, input, one.unit ? h("span", {}, pair(one.unit)) : null), input, read: () => whole(input.value) };
  },
  time(one, value) {
    const input = h("input", { type: "time", required: true, value: timeWords(value), "aria-label": pair(one.words) });
    return { element: input, input, read: () => Number(input.value.slice(0, 2)) * 60 + Number(input.value.slice(3)) };
  },
  yes(one, value) {
    const input = h("input", { type: "checkbox", checked: value, "aria-label": pair(one.words) });
    return { element: h("span", { class: "with-unit" }, input, h("span", {}, say("是", "yes"))), input, read: () => input.checked };
  },
  text(one, value) {
    const input = h("input", { type: "text", maxlength: one.most, value, "aria-label": pair(one.words) });
    return { element: input, input, read: () => input.value.trim() };
  },
  share(one, value) {
    const percent = typeof value === "string";
    const input = h("input", { type: "number", min: 1, max: one.most, step: 1, inputmode: "numeric", value: value === null ? "" : String(percent ? value.slice(0, -1) : value), "aria-label": pair(one.words) });
    const unit = h("select", { "aria-label": say("单位", "Unit") }, h("option", { value: "count" }, say("个号", "slots")), h("option", { value: "percent", selected: percent }, "%"));
    return { element: h("span", { class: "with-unit" }, input, unit), input, read: () => (input.value === "" ? null : unit.value === "percent" ? `${whole(input.value)}%` : whole(input.value)) };
  },
  choice(one, value) {
    const picks = Object.entries(one.choices).map(([name, [words, help]]) => [name, h("input", { type: "radio", name: one.name, value: name, checked: name === value }), words, help]);
    const element = h("div", { class: "choices", role: "radiogroup", "aria-label": pair(one.words) }, picks.map(([, input, words, help]) => h("label", { class: "choice" }, input, h("span", {}, h("b", {}, pair(words)), h("small", {}, pair(help))))));
    return { element, input: picks[0][1], read: () => picks.find(([, input]) => input.checked)[0] };
  },
  tiers(one, value) {
    const inputs = Object.entries(TIERS).map(([tier, words]) => [tier, h("input", { type: "number", min: 0, max: 100, step: 1, inputmode: "numeric", value: String(value[tier] || 0), "aria-label": pair(words) }), words]);
    const sum = h("b", {});
    const add = () => show(sum, say("合计 ", "together "), inputs.reduce((all, [, input]) => all + (Number(input.value) || 0), 0), "%");
    add();
    const element = h("div", { class: "row-fields", oninput: add }, inputs.map(([tier, input, words]) => h("label", {}, h("span", { class: `tier tier-${tier}` }, pair(words)), input)), sum);
    return { element, input: inputs[0][1], read: () => Object.fromEntries(inputs.map(([tier, input]) => [tier, whole(input.value || "0")])) };
  },
  months(one, value) {
    return rows(one, Object.entries(value), ([month, places]) => {
      const when = h("input", { type: "month", required: true, value: month || "", "aria-label": say("预产期月份", "Due month") });
      const count = h("input", { type: "number", min: 0, max: one.most, step: 1, inputmode: "numeric", required: true, value: String(places ?? ""), "aria-label": say("名额", "Places") });
      return { cells: [when, count, h("span", {}, say("个名额", "places"))], read: () => [when.value, whole(count.value)] };
    }, (read) => Object.fromEntries(read), ["", ""]);
  },
  lending(one, value) {
    return rows(one, value, (rule) => {
      const from = h("select", { "aria-label": say("哪一级的余额", "Whose places") }, Object.entries(TIERS).map(([tier, words]) => h("option", { value: tier, selected: tier === rule.from }, pair(words))));
      const to = Object.entries(TIERS).map(([tier, words]) => [tier, h("input", { type: "checkbox", checked: rule.to.includes(tier), "aria-label": pair(words) }), words]);
      const days = h("input", { type: "number", min: one.least, max: one.most, step: 1, inputmode: "numeric", required: true, value: String(rule.days_before_close), "aria-label": say("截止前几天", "Days before the close") });
      return {
        cells: [from, say("级，截止前", "from"), days, say("天起可给", "days before, to"), h("span", { class: "picks" }, to.map(([, input, words]) => h("label", {}, input, pair(words))))],
        read: () => ({ from: from.value, to: to.filter(([, input]) => input.checked).map(([tier]) => tier), days_before_close: whole(days.value) }),
      };
    }, (read) => read, { from: "red", to: [], days_before_close: 14 });
  },
};

const whole = (text) => (/^-?\d+$/.test(String(text).trim()) ? Number(text) : text === "" ? null : Number(text));

// A list of rows that grows and shrinks.
function rows(one, values, row, gather, empty) {
  const list = h("div", { class: "row-list" });
  const held = [];
  const add = (value) => {
    const made = row(value);
    const line = h("div", { class: "row-fields" }, made.cells, h("button", { type: "button", class: "plain", onclick: () => { held.splice(held.indexOf(made), 1); line.remove(); } }, say("去掉", "Remove")));
    held.push(made);
    list.append(line);
  };
  values.forEach(add);
  const more = h("button", { type: "button", class: "plain", onclick: () => add(empty) }, say("加一条", "Add one"));
  return { element: h("div", {}, list, more), input: more, read: () => gather(held.map((made) => made.read())) };
}

const BOUNDLESS = { span: 400 * 86400, number: 1_000_000 }; // a bound beyond these helps nobody to choose

function limits(one) {
  if (one.most >= BOUNDLESS[one.input]) return "";
  if (one.input === "span") return say(`${spanWords(one.least)} 至 ${spanWords(one.most)}`, `from ${spanWords(one.least)} to ${spanWords(one.most)}`);
  if (one.input === "number") return say(`${one.least} 至 ${one.most}`, `from ${one.least} to ${one.most}`);
  return "";
}

// What is wrong with a value before anybody is asked.
function wrong(one, value) {
  if ((one.input === "span" || one.input === "number") && (!Number.isInteger(value) || value < one.least || value > one.most)) return say(`应为整数，${limits(one) || `不小于 ${one.least}`}`, `a whole number ${limits(one) || `of at least ${one.least}`}`);
  if (one.input === "time" && !Number.isInteger(value)) return say("请写时间，如 22:00", "a time such as 22:00");
  return null;
}

function put(body, name, value) {
  const path = name.split(".");
  const last = path.pop();
  path.reduce((within, key) => (within[key] ||= {}), body)[last] = value;
}

// The form: its element, what it says now, and where a fault goes.
export function policyForm(policy, start, onchange) {
  const fields = new Map();
  const body = () => {
    const read = {};
    for (const one of rulesOf(policy)) {
      const value = fields.get(one.name).read();
      if (value !== null || one.input !== "share") put(read, one.name, value);
    }
    if (read.kind) read.mixed = { parts: {}, ...read.mixed };
    return read;
  };
  const field = (one) => {
    const made = INPUTS[one.input](one, ruleValue(one, start));
    const fault = h("small", { class: "fault", id: `fault-${one.name}` });
    made.input.setAttribute("aria-describedby", fault.id);
    const range = limits(one);
    const told = [pair(one.help), range && h("span", { class: "range" }, range)].filter(Boolean);
    const title = one.input === "choice" ? null : h("span", { class: "title" }, pair(one.words));
    const element = h("div", { class: `rule rule-${one.input}`, "data-rule": one.name }, title, made.element, told.length ? h("small", { class: "help" }, told[0], told[1] ? [" ", told[1]] : null) : null, fault);
    fields.set(one.name, { ...made, one, element, fault });
    return element;
  };
  const sections = policy.sections.map((section) => ({ section, element: h("fieldset", {}, h("legend", {}, pair(section.words)), section.help ? h("p", { class: "soft" }, pair(section.help)) : null, h("div", { class: "rules" }, section.rules.map(field))) }));
  const settle = () => {
    const now = body();
    for (const { section, element } of sections) {
      for (const one of section.rules) fields.get(one.name).element.hidden = !matters(one, now);
      element.hidden = section.rules.every((one) => !matters(one, now));
    }
    onchange?.(now);
  };
  const mark = (made, words) => {
    show(made.fault, words);
    made.input.toggleAttribute("aria-invalid", Boolean(words));
  };
  // Put a fault at its field; false: it is about none of them.
  const fault = (name, words) => {
    const near = [...fields.keys()].filter((each) => name === each || name.startsWith(`${each}.`) || name.startsWith(`${each}[`) || each.startsWith(`${name}.`));
    const made = fields.get(near.sort((a, b) => b.length - a.length).find((each) => name.startsWith(each)) || near.at(-1));
    if (!made) return false;
    mark(made, words);
    (made.element.hidden ? made.element.closest("form") : made.element).scrollIntoView({ block: "center" });
    if (!made.element.hidden) made.input.focus({ preventScroll: true });
    return true;
  };
  const check = () => {
    const now = body();
    let first = null;
    for (const made of fields.values()) {
      const words = matters(made.one, now) ? wrong(made.one, made.read()) : null;
      mark(made, words || "");
      if (words && !first) first = made;
    }
    if (first) {
      first.element.scrollIntoView({ block: "center" });
      first.input.focus({ preventScroll: true });
    }
    return !first;
  };
  // What plays no part is not sent as it was left, half typed, but as it was.
  const settled = () => {
    const now = body();
    for (const made of fields.values()) {
      if (!matters(made.one, now) && wrong(made.one, made.read())) put(now, made.one.name, ruleValue(made.one, start));
    }
    return now;
  };
  const element = h("div", { class: "policy-form", oninput: settle, onchange: settle }, sections.map((each) => each.element));
  settle();
  return { element, body: settled, check, fault };
}
