// One finding: how its score comes about, what it rests on and what speaks for the person, the ring to walk, the rhythm,
// the raw lines for whoever says why, and the judgement of people.

import { get, post } from "../api.js";
import { field, form, h, put, s, show, table } from "../dom.js";
import { JUDGEMENTS, LEVELS, MEANS, both, figure, inFavour, kindName, levelTag, stateTag, titled, weight } from "../finding_words.js";
import { trouble } from "../finding_trouble.js";
import { lookForm, rawBlocks, viewerMark } from "../raw_lines.js";
import { rhythms } from "../rhythm.js";
import { ringGraph } from "../ring_graph.js";
import { visible } from "../visible.js";
import { waterfall } from "../waterfall.js";
import { number, pair, say, whole } from "../words.js";

const JUDGES = ["security", "outpatient_office"];
const MEMBERS_SHOWN = 24;

export async function page(place, { who, rest }) {
  const at = `/findings/${encodeURIComponent(rest[0] || "")}`;
  const operator = who.operator;
  const judges = operator.roles.some((role) => JUDGES.includes(role));
  let masked = null; // the finding as anybody may see it
  let looked = null; // the same after a look that is on record: nothing masked, with lines

  async function open() {
    try {
      masked = await get(at);
    } catch (error) {
      show(place, trouble(error, open));
      return;
    }
    draw();
  }
  const mask = () => {
    if (!looked) return;
    looked = null;
    draw();
  };
  // Whoever leaves the page, or comes back to it, finds it masked.
  addEventListener("pagehide", mask);

  async function look(body) {
    looked = await post(`${at}/looks`, body);
    draw();
    place.querySelector("#lines").scrollIntoView({ block: "start" });
    place.querySelector("#lines h2").focus({ preventScroll: true });
  }
  async function judge(fields) {
    await post(`${at}/judgements`, { judgement: fields.judgement, reason: fields.reason.trim() });
    masked = await get(at);
    if (looked) looked = { ...looked, state: masked.state, judgements: masked.judgements };
    show(state, stateTag(masked.state));
    show(judged, judgements());
    judged.querySelector("[role=status]").textContent = say("已记下。", "Recorded.");
  }

  const state = h("span", {});
  const judged = h("div", {});

  function draw() {
    const it = looked || masked;
    document.title = `${titled(it.headline)} · ${say("守号控制台", "Shouhao console")}`;
    show(state, stateTag(it.state));
    show(judged, judgements());
    const favour = inFavour(it);
    const nothingSpeaks = h("p", {}, say("没有识别出有利的情况。这不等于没有：核查时先问家庭、单位、代办等原因。", "Nothing was recognised that speaks for it. That does not mean there is nothing: when checking, first ask about family, workplace, or booking on another’s behalf."));
    show(
      place,
      h("p", { class: "back" }, pager(it.finding_id), h("a", { href: `/findings${sessionStorage.getItem("findings") || ""}` }, say("← 检测发现", "← Findings"))),
      h("div", { class: "finding-head" },
        h("h1", {}, titled(it.headline)),
        h("p", { class: "tags" }, levelTag(it.level), state, h("b", {}, kindName(it.subject.kind)), h("span", { class: "code" }, visible(it.subject.id)), it.seen_before ? h("span", { class: "tag" }, say(`以前见过 ${it.seen_before} 次`, `seen before: ${it.seen_before}`)) : null),
        h("p", { class: `note ${it.level === "certain-pattern" ? "bad" : it.level === "strong" ? "warn" : ""}` }, h("b", {}, pair(LEVELS[it.level]), say("：", ": ")), pair(MEANS[it.level])),
        it.stands ? null : h("p", { class: "note warn" }, say("实时分析后来不再认定它；以下是当时所说。", "The live analysis finds it no more; below is what it said then.")),
        h("p", { class: "soft" }, `${whole(it.first_at)} – ${whole(it.last_at)}`, it.ring_id ? [" · ", h("a", { href: `/finding/${encodeURIComponent(it.ring_id)}` }, say("它所在的团伙 →", "The ring it belongs to →"))] : null)),
      h("nav", { class: "within", "aria-label": say("本页内容", "On this page") },
        [["#score", say("分数", "Score")], ["#reasons", say("理由", "Reasons")], ["#speaks", say("有利情况", "In its favour")], it.ring ? ["#ring", say("关系图", "Ring")] : null, it.rhythm ? ["#rhythm", say("节奏", "Rhythm")] : null, ["#lines", say("原始行", "Raw lines")], ["#judge", say("判断", "Judgement")]].filter(Boolean).map(([href, words]) => h("a", { href }, words))),
      looked ? h("p", { class: "note warn", role: "status" }, say("完整编号与原始行正在显示，本次查看已留痕。离开本页即重新遮蔽。", "Whole ids and raw lines are shown, and this look is on record. Leaving the page masks them again."), " ", h("button", { class: "plain", onclick: mask }, say("现在遮蔽", "Mask now"))) : null,
      h("section", { id: "score" }, waterfall(it, it.level_from)),
      h("div", { class: "sides" },
        h("section", { id: "reasons", class: "side against-it" }, h("h2", {}, say(`指向它的理由（${it.reasons.length}）`, `What points to it (${it.reasons.length})`)), key(), it.reasons.map((term, n) => reason(term, n + 1, "reason"))),
        h("section", { id: "speaks", class: "side for-it" }, h("h2", {}, say(`有利于它的情况（${favour.length}）`, `What speaks for it (${favour.length})`)), favour.length ? favour.map((term, n) => reason(term, n + 1, "speaks")) : nothingSpeaks)),
      it.ring ? h("section", { id: "ring", class: "card" }, h("h2", {}, say("关系图", "The ring")), ringGraph(it.ring, { own: it.finding_id })) : null,
      it.rhythm ? h("section", { id: "rhythm" }, h("h2", {}, say("节奏：它与同类对象", "Rhythm: it against the others of its kind")), h("div", { class: "rhythms" }, rhythms(it.rhythm))) : null,
      it.members.length ? members(it) : null,
      h("section", { id: "lines", class: "card" }, h("h2", { tabindex: "-1" }, say("原始行", "Raw lines")), looked ? lines(looked) : lookForm(look)),
      h("section", { id: "judge", class: "card" }, judged),
      earlier(it),
      sources(it),
    );
  }

  function judgements() {
    const it = looked || masked;
    return [
      h("h2", {}, say("判断", "Judgement"), " ", stateTag(it.state)),
      h("p", { role: "status", class: "soft" }, say("由人判断，机器不判断。以后可以改判，历次都保留。", "A person judges, never the machine. A later judgement may change it; all are kept.")),
      it.judgements.length ? h("ol", { class: "line" }, it.judgements.map((one) => h("li", {}, stateTag(one.judgement), " ", one.reason, h("span", { class: "soft" }, ` ${one.operator_name || say("已离职人员", "somebody who has left")} · ${whole(one.at)}`)))) : h("p", { class: "empty" }, say("还没有人判断。", "Nobody has judged it yet.")),
      judges
        ? form({ class: "judge" }, judge,
            h("fieldset", {}, h("legend", {}, say("您的判断", "Your judgement")), Object.entries(JUDGEMENTS).map(([code, words]) => h("label", { class: "pick" }, h("input", { type: "radio", name: "judgement", value: code, required: true }), h("span", {}, pair(words))))),
            field(say("理由（必填，会留给以后查看的人）", "Why (required; whoever looks later reads it)"), h("textarea", { name: "reason", rows: "3", required: true, minlength: "2", maxlength: "1000" })),
            h("button", { class: "go" }, say("记下判断", "Record it")))
        : h("p", { class: "soft" }, say("判断由保卫处或门诊办公室作出。", "The security office or the outpatient office judges.")),
    ];
  }

  function lines(it) {
    const mark = viewerMark(operator);
    const favour = it.speaks_for.map((term, n) => [term, n]).filter(([term]) => !term.code.startsWith("scoring."));
    const part = (title, blocks, open) => h("details", { open }, h("summary", {}, title), rawBlocks(blocks, { sha256: it.input_sha256 || {}, viewer: mark, none: say("没有可引用的原始行。", "There are no raw lines to cite.") }));
    return [
      h("p", { class: "soft" }, say("日志由发出请求的人写成；看不见的字符写成‹名称›并加底色，其中任何内容都不会被执行。", "Whoever sends a request writes the log; characters that cannot be seen stand as ‹names›, and nothing in it is ever run.")),
      it.reasons.map((term, n) => part([h("b", { class: "no reason" }, n + 1), titled(term.name) || both(term.says)], it.lines.reasons[n], n === 0)),
      favour.map(([term, n], place) => part([h("b", { class: "no speaks" }, place + 1), titled(term.name) || both(term.says)], it.lines.speaks_for[n], false)),
    ];
  }

  await open();
}

// The one before and the one after, as the list had them that was left for this page.
function pager(findingId) {
  const listed = JSON.parse(sessionStorage.getItem("findings-listed") || "[]");
  const at = listed.indexOf(findingId);
  if (at < 0) return null;
  const to = (n, words) => (listed[n] ? h("a", { href: `/finding/${encodeURIComponent(listed[n])}`, onclick: () => sessionStorage.setItem("finding", listed[n]) }, words) : null);
  return h("span", { class: "pager" }, h("span", { class: "soft" }, `${at + 1} / ${listed.length}`), to(at - 1, say("上一条", "Previous")), to(at + 1, say("下一条 →", "Next →")));
}

// One reason, or one thing that speaks for the subject; both look alike, for both weigh.
function reason(term, number_, kind) {
  return h(
    "article",
    { class: `reason ${kind}`, id: `${kind}-${number_}` },
    h("h3", {}, h("b", { class: `no ${kind}` }, number_), h("span", {}, titled(term.name) || term.code), h("b", { class: "reason-weight" }, weight(term.weight))),
    h("p", {}, both(term.says)),
    scale(term),
    h("p", { class: "soft" }, term.evidence ? [h("a", { href: "#lines" }, say(`依据 ${number(term.evidence)} 处原始记录`, `rests on ${number(term.evidence)} raw records`)), " · "] : null, h("span", { class: "code" }, term.code)),
  );
}

// Where it was measured, where others are, and from where on it counts; on a logarithmic line where they lie far apart.
function scale(term) {
  const told = [["measured", say("测得", "measured")], ["expected", say("一般人", "usual")], ["threshold", say("从此计入", "counts from")]].filter(([name]) => Number.isFinite(term[name]));
  const values = told.map(([name]) => term[name]);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const place = least > 0 && most / least > 20 ? Math.log : Number;
  const x = (name) => `${(4 + (92 * (place(term[name]) - place(least))) / (place(most) - place(least) || 1)).toFixed(1)}%`;
  const has = new Set(told.map(([name]) => name));
  return [
    h("dl", { class: "scale" }, told.map(([name, words]) => h("div", { class: name }, h("dt", {}, words), h("dd", {}, figure(term[name]))))),
    most > least
      ? s("svg", { class: "scale-line", height: 18, "aria-hidden": "true" },
          s("line", { x1: "2%", x2: "98%", y1: 9, y2: 9, class: "axis" }),
          has.has("threshold") ? s("line", { x1: x("threshold"), x2: x("threshold"), y1: 1, y2: 17, class: "threshold" }) : null,
          has.has("expected") ? s("circle", { cx: x("expected"), cy: 9, r: 4.5, class: "expected" }) : null,
          has.has("measured") ? s("circle", { cx: x("measured"), cy: 9, r: 5.5, class: "measured" }) : null)
      : null,
  ];
}

const key = () =>
  h("p", { class: "soft scale-key" }, s("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, s("circle", { cx: 6, cy: 6, r: 5, class: "measured" })), say("测得", "measured"), s("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, s("circle", { cx: 6, cy: 6, r: 4, class: "expected" })), say("一般人", "usual"), s("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, s("line", { x1: 6, x2: 6, y1: 0, y2: 12, class: "threshold" })), say("从此计入；相差很远时用对数刻度", "counts from; a logarithmic scale where they lie far apart"));

function members(it) {
  const one = (member) => h("li", {}, h("span", { class: "soft" }, `${kindName(member.kind)} `), member.finding_id && member.finding_id !== it.finding_id ? h("a", { class: "code", href: `/finding/${encodeURIComponent(member.finding_id)}` }, visible(member.id)) : h("span", { class: "code" }, visible(member.id)));
  const kinds = [...new Set(it.members.map((member) => member.kind))];
  const rest = it.members.slice(MEMBERS_SHOWN);
  return h("section", { id: "members", class: "card" },
    h("h2", {}, say(`成员（${number(it.members.length)}）`, `Members (${number(it.members.length)})`)),
    h("p", { class: "soft" }, kinds.map((kind) => `${kindName(kind)} ${number(it.members.filter((member) => member.kind === kind).length)}`).join(" · "), say("。有链接的成员另有自己的检测发现。", ". Members with a link have a finding of their own.")),
    h("ul", { class: "members" }, it.members.slice(0, MEMBERS_SHOWN).map(one)),
    rest.length ? h("details", {}, h("summary", {}, say(`其余 ${rest.length} 个`, `${rest.length} more`)), h("ul", { class: "members" }, rest.map(one))) : null);
}

function earlier(it) {
  return h("section", { class: "card" }, h("h2", {}, say("以前各晚", "Earlier nights")),
    table([say("哪一晚", "Night"), say("级别", "Level"), say("判断", "Judged"), ""], it.earlier.map((one) => [one.name, levelTag(one.level), stateTag(one.state), h("a", { href: `/finding/${encodeURIComponent(one.finding_id)}` }, say("打开", "Open"))]), say("以前没有见过它。", "It was not seen before.")));
}

function sources(it) {
  const files = Object.entries(it.input_sha256 || {});
  const versions = Object.entries(it.detector_versions || {});
  const box = h("details", { class: "card" }, h("summary", {}, say("依据的文件与规则版本", "Files it rests on, and versions of the rules")));
  put(box, h("p", { class: "soft" }, say("同样的文件、同样的版本，再算一遍得到逐字节相同的结果。", "The same files and versions give the same finding, byte for byte.")), h("ul", { class: "ids" }, files.map(([name, sha256]) => h("li", {}, visible(name), " ", h("span", { class: "code soft" }, `sha256 ${sha256}`)))), h("p", { class: "code soft" }, it.finding_id, " · ", versions.map(([code, version]) => `${code} ${version}`).join(" · ")));
  return box;
}
