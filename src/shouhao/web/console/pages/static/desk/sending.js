// Sending from a counter: one press, one act, even when the line breaks in between and somebody presses again.

import { newKey, send } from "../api.js";
import { form, h } from "../dom.js";

// A sender keeps its key while nobody answered, so that the same thing sent again after a broken line acts once.
export function sender() {
  let unanswered = null;
  return async (method, path, body) => {
    const content = JSON.stringify([method, path, body]);
    if (!unanswered || unanswered.content !== content) unanswered = { content, key: newKey() };
    const { key } = unanswered;
    try {
      const said = await send(method, path, body, { key });
      unanswered = null;
      return said;
    } catch (error) {
      if (error.status && error.status < 500) unanswered = null;
      throw error;
    }
  };
}

// A button that acts at once, says that it heard, and shows a refusal above itself.
export function act(words, onact, { kind = "step", ...properties } = {}) {
  const sending = sender();
  return form({ class: "act" }, () => onact(sending), h("button", { class: kind, ...properties }, words));
}

// An act that one should mean: the button opens a second one.
export function actTwice(words, told, sure, onact) {
  return h("details", { class: "sure" }, h("summary", { class: "plain" }, words), h("div", { class: "note warn" }, h("p", {}, told), act(sure, onact)));
}

// A box for a reason, with common ones to press.
export function reasons(common, { name = "reason", value = "" } = {}) {
  const box = h("textarea", { name, rows: "2", required: true, maxlength: "500", value });
  const chips = common.map((words) => h("button", { type: "button", class: "chip", onclick: () => { box.value = words; box.dispatchEvent(new Event("input", { bubbles: true })); box.focus(); } }, words));
  return { box, chips: h("div", { class: "chips common" }, chips) };
}
