// Repeats a published draw in the reader's own browser, from the file alone: the same steps as tools/verify_draw.py.
const english = document.documentElement.lang === "en";
const say = (zh, en) => (english ? en : zh);
const text = new TextEncoder();

const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (digits) => {
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error("not hex");
  return Uint8Array.from({ length: digits.length / 2 }, (_, n) => parseInt(digits.slice(2 * n, 2 * n + 2), 16));
};
const join = (parts) => {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};
const sha = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(parts)));

// JSON with sorted names and no spaces: what was hashed and signed.
const canonical = (value) => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
};
// A hash over parts that each carry their length.
const bound = (...parts) =>
  sha(...parts.flatMap((part) => {
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(part.length));
    return [length, part];
  }));
const commitment = async (draw, who, secret) =>
  hex(await bound(text.encode("shouhao draw commitment 1"), text.encode(draw.id), text.encode(who), unhex(secret)));

const AT_ONCE = 2000;
const inTurns = async (items, one, progress) => {
  const done = [];
  for (let at = 0; at < items.length; at += AT_ONCE) {
    done.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(one))));
    progress(Math.min(1, (at + AT_ONCE) / items.length));
  }
  return done;
};

const rootOf = async (leaves, progress) => {
  let level = await inTurns(leaves, (leaf) => sha(Uint8Array.of(0), leaf), progress);
  while (level.length > 1) {
    const pairs = [];
    for (let n = 0; n < level.length; n += 2) pairs.push(level.slice(n, n + 2));
    level = await inTurns(pairs, ([left, right]) => (right ? sha(Uint8Array.of(1), left, right) : left), () => {});
  }
  return hex(level[0]);
};

const seedOf = async (file, root) => {
  const parts = [text.encode(file.draw.id), unhex(root), unhex(file.secret)];
  for (const one of file.contributions) {
    const round = one.round === null ? "" : String(one.round);
    parts.push(text.encode(one.kind), text.encode(one.who), text.encode(round), unhex(one.value));
  }
  return bound(text.encode("shouhao draw seed 1"), ...parts);
};

const ranked = async (entries, seed, progress) => {
  const key = await crypto.subtle.importKey("raw", seed, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const keyed = await inTurns(
    entries,
    async (entry) => ({ entry, by: hex(await crypto.subtle.sign("HMAC", key, text.encode(entry.id))) }),
    progress,
  );
  const before = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return keyed.sort((a, b) => before(a.by, b.by) || before(a.entry.id, b.entry.id)).map((one) => one.entry);
};

const winsOf = (order, targets) => {
  const left = new Map(targets.map((target) => [target.id, target.seats]));
  const wins = [];
  for (const entry of order) {
    const wish = entry.wishes.find((one) => left.get(one) >= entry.people.length);
    if (wish !== undefined) {
      left.set(wish, left.get(wish) - entry.people.length);
      wins.push({ id: entry.id, target: wish });
    }
  }
  return wins;
};

const fair = (file) => {
  const ids = file.entries.map((one) => one.id);
  const people = file.entries.flatMap((one) => one.people);
  const targets = new Set(file.draw.targets.map((one) => one.id));
  const wishesKnown = file.entries.every((one) => one.wishes.length > 0 && one.wishes.every((wish) => targets.has(wish)));
  return new Set(ids).size === ids.length && new Set(people).size === people.length && wishesKnown;
};

const check = async (place) => {
  const list = place.querySelector(".checks");
  const bar = place.querySelector("progress");
  const outcomes = [];
  const tell = (holds, zh, en) => {
    const item = document.createElement("li");
    item.className = holds ? "yes" : "no";
    item.textContent = say(zh, en);
    list.append(item);
    outcomes.push(holds);
  };
  const progress = (from, share) => (part) => (bar.value = from + share * part);

  const answer = await fetch(place.dataset.file);
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  const raw = new Uint8Array(await answer.arrayBuffer());
  const digest = hex(await sha(raw));
  tell(digest === place.dataset.sha256, `文件与公布的 SHA-256 一致（${raw.length} 字节）`, `The file has the published SHA-256 (${raw.length} bytes)`);
  const file = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
  tell(fair(file), `一人一签，共 ${file.entries.length} 份报名`, `One entry a person; ${file.entries.length} entries`);
  const promised = [["hospital", file.secret, file.draw.commitment]];
  for (const one of file.contributions) if (one.commitment) promised.push([one.who, one.value, one.commitment]);
  const kept = await Promise.all(promised.map(async ([who, value, said]) => (await commitment(file.draw, who, value)) === said));
  tell(kept.every(Boolean), "各方公开的随机数与事先的承诺一致", "What each party revealed is what it had committed to");
  const leaves = [file.draw, ...file.entries].map((one) => text.encode(canonical(one)));
  const root = await rootOf(leaves, progress(0.05, 0.4));
  tell(root === file.root, "名单在抽签前已封存，没有增删改", "The list was sealed before the draw and nothing was changed");
  const seed = await seedOf(file, root);
  tell(hex(seed) === file.seed, "种子由名单和各方随机数算出", "The seed follows from the list and everyone’s chance");
  const order = await ranked(file.entries, seed, progress(0.45, 0.5));
  tell(canonical(order.map((one) => one.id)) === canonical(file.order), "名次由种子算出，与报名先后无关", "The order follows from the seed; when one entered plays no part");
  tell(canonical(winsOf(order, file.draw.targets)) === canonical(file.wins), "按名次和志愿发号，没有例外", "Slots were given by order and wishes, without exception");
  bar.value = 1;

  const verdict = place.querySelector(".verdict");
  const holds = outcomes.every(Boolean);
  verdict.className = `verdict note ${holds ? "" : "bad"}`;
  verdict.textContent = holds
    ? say("核对通过：这次抽签与公开的规则完全一致。", "It verifies: this draw is exactly what the published rule gives.")
    : say("核对未通过：请把公开文件交给门诊办公室或监督部门。", "It does not verify: take the file to the outpatient office or whoever supervises it.");
  for (const mine of place.dataset.mine.split(" ").filter(Boolean)) {
    const at = order.findIndex((one) => one.id === mine);
    if (at < 0) continue;
    const won = file.wins.some((one) => one.id === mine);
    const line = document.createElement("p");
    line.textContent = say(
      `您的报名排第 ${at + 1} 名，共 ${order.length} 份${won ? "，抽中" : "，未抽中"}。`,
      `Your entry is number ${at + 1} of ${order.length}${won ? " and won" : " and did not win"}.`,
    );
    verdict.append(line);
  }
};

const place = document.getElementById("check");
if (place) {
  check(place).catch((error) => {
    const verdict = place.querySelector(".verdict");
    verdict.className = "verdict note bad";
    verdict.textContent = say(`核对没有完成：${error.message}`, `The check did not finish: ${error.message}`);
  });
}
