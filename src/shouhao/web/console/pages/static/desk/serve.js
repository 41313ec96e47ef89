// Serving at the window: find, see, act, the next one. F2 begins again, F4 books, F8 prints.

import { get } from "../api.js";
import { h, refusal, show } from "../dom.js";
import { say } from "../words.js";
import { bookingFor } from "./book.js";
import { careOf } from "./care_proofs.js";
import { finder } from "./finder.js";
import { heldOf } from "./held.js";
import { newPerson } from "./new_person.js";
import { personCard } from "./person.js";

export function serve(place) {
  const work = h("div", { class: "counter" });
  let current = null;

  function open(patient, told = null) {
    const note = told ? h("p", { class: "note told", role: "status" }, told) : null;
    const booking = bookingFor(patient, { done: (how) => held.again(how) });
    const held = heldOf(patient);
    const care = careOf(patient);
    const changed = (after, said) => open(after, said);
    const find = async (patientId) => {
      try {
        open(await get(`/patients/${encodeURIComponent(patientId)}`));
      } catch (error) {
        work.prepend(refusal(error));
      }
    };
    current = { booking, held };
    show(
      work,
      h("div", { class: "counter-side" }, note, personCard(patient, { changed, find }), h("details", { class: "card", ontoggle: (event) => event.target.open && care.begin() }, h("summary", {}, say("照护资格与证明", "Care: ground and proofs")), care.element)),
      h("div", {}, held.element, booking.element),
    );
    booking.begin();
    held.again();
    const first = work.querySelector(".verify");
    if (first) first.focus();
  }

  function register(typed) {
    const made = newPerson(typed, { done: (patient) => open(patient, say("已登记并核验", "Registered and confirmed")), cancel: again });
    current = null;
    show(work, made.element);
    made.focus();
  }

  function again() {
    current = null;
    show(work, h("p", { class: "empty" }, say("刷卡或输入证件号码、手机号，回车查找。", "Scan or type a document number or phone, then Enter.")));
    find.clear();
  }

  const find = finder({ onfound: (patient) => open(patient), onunknown: register });
  place.addEventListener("desk-key", (event) => {
    const key = event.detail;
    if (key === "F2") again();
    if (key === "F4" && current) current.booking.focus();
    if (key === "F8" && current) current.held.print();
  });
  show(
    place,
    h("div", { class: "counter-bar" }, find.element, h("div", { class: "steps" }, h("button", { class: "step", type: "button", onclick: again }, h("kbd", {}, "F2"), say("下一位", "Next patient")), h("button", { class: "plain", type: "button", onclick: () => register({ kind: "resident_id", number: "" }) }, say("登记新就诊人", "Register somebody new")))),
    work,
  );
  again();
}
