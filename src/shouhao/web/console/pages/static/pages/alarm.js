// One alarm on a page of its own, for a link that was passed on.

import { alarmCard } from "../alarm_card.js";
import { h, show } from "../dom.js";

export async function page(place, { rest }) {
  const into = h("section", { class: "work alone" });
  const open = async () => {
    const card = await alarmCard(into, rest[0], { now: Date.now, onchange: open });
    clearInterval(page.ticking);
    page.ticking = setInterval(() => card.tick(Date.now()), 1000);
  };
  show(place, into);
  await open();
}
