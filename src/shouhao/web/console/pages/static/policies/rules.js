// The rules of every policy: what each is called, what it may be, what it is for. Forms, words and comparisons are made
// from this; that it says what the server takes is a test.

const DAY = 86400;

// name: as in a policy's body. input: span (seconds), time (minute of a day), number, yes, text, share, months, tiers,
// lending, choice. Only while `when(body)` holds does a rule play a part.
const rule = (name, input, least, most, start, words, help, more = {}) => ({ name, input, least, most, start, words, help, ...more });
const draws = (body) => body.kind === "draw" || (body.kind === "mixed" && Boolean(body.mixed?.parts?.draw));
const mixed = (body) => body.kind === "mixed";
const waits = (body) => body.waitlist?.open !== false;
const witnessed = (body) => draws(body) && Boolean(body.draw?.beacon);
const part = (name, words, help) => rule(`mixed.parts.${name}`, "share", 1, 2000, null, words, help, { when: mixed });
const merges = (name, start, words) => rule(`mixed.merge_before_s.${name}`, "span", 0, 30 * DAY, start, words, ["从就诊前这么久起，没用完的号并入其余部分。", "From this long before the session what was not used joins the others."], { when: (body) => mixed(body) && Boolean(body.mixed?.parts?.[name]) });

export const KINDS = {
  first_come: [["先到先得", "First come"], ["到放号时间，谁先约到归谁。热门号会在几秒内约完，手快者得。", "Whoever asks first after the release has it. Sought-after slots go in seconds, to the fastest."]],
  draw: [["抽签", "By draw"], ["放号前开放报名，期间不分先后，到点抽签；没中的排进候补。", "Entries are taken before the release; within that time no moment counts. Then it is drawn, and who does not win waits."]],
  mixed: [["分部分", "In parts"], ["同一排班的号分成几份：抽签、窗口、电话、转诊，剩下的公开。", "The slots of a session go different ways: by draw, to the window, by phone, to referrals; what is left is public."]],
};
export const PARTS = { draw: ["抽签", "draw"], window: ["窗口", "window"], phone: ["电话", "phone"], referral: ["转诊", "referral"] };
export const SESSION_KINDS = { general: ["普通号", "General"], expert: ["专家号", "Expert"], special: ["特需号", "Special"], antenatal: ["产检建档号", "Antenatal"] };
export const TIERS = { green: ["绿", "green"], yellow: ["黄", "yellow"], orange: ["橙", "orange"], red: ["红", "red"], purple: ["紫", "purple"] };

const RELEASE = [
  { words: ["放号方式", "How slots are given"], rules: [rule("kind", "choice", null, null, "first_come", ["放号方式", "Kind of release"], ["", ""], { choices: KINDS })] },
  {
    words: ["分成几部分", "The parts"],
    help: ["写号数，或占全部号的百分比；留空就没有这一部分。剩下的都公开放号。", "A number of slots, or a share in percent; empty: no such part. All that is left is public."],
    rules: [
      part("draw", ["抽签部分", "By draw"], ["按下面的抽签规则。", "By the rules of the draw below."]),
      part("window", ["窗口部分", "At the window"], ["只在窗口挂号。", "To be had at the window alone."]),
      part("phone", ["电话部分", "By phone"], ["只由电话预约。", "To be had by phone alone."]),
      part("referral", ["转诊部分", "For referrals"], ["凭转诊单号。", "Against the number of a referral."]),
      merges("window", 3600, ["窗口余号何时并入其余", "When the window’s rest joins"]),
      merges("phone", DAY, ["电话余号何时并入其余", "When the phone’s rest joins"]),
      merges("referral", 2 * DAY, ["转诊余号何时并入其余", "When the referrals’ rest joins"]),
    ],
  },
  {
    words: ["抽签", "The draw"],
    rules: [
      rule("draw.entry_window_s", "span", 10, 14 * DAY, 120, ["报名时间", "Entries are taken for"], ["从放号前这么久开始，到放号时截止；期间不分先后。", "From this long before the release up to it; within that time no moment counts."], { when: draws }),
      rule("draw.wishes_max", "number", 1, 20, 3, ["每份报名的志愿", "Wishes of an entry"], ["最多填几个排班，按先后为第一、第二志愿。", "Sessions that an entry may name, in the order of its wishes."], { when: draws, unit: ["个", "at most"] }),
      rule("draw.people_max", "number", 1, 10, 4, ["每份报名的人数", "People of an entry"], ["一家人同进退：要么都中，要么都不中。", "A family wins together or not at all."], { when: draws, unit: ["人", "at most"] }),
      rule("draw.confirm_s", "span", 60, 7 * DAY, 1800, ["中签后确认时限", "Time to confirm"], ["过时不确认，号给候补的下一位。", "After it the slot goes to the next who waits."], { when: draws }),
      rule("draw.witnesses", "number", 0, 5, 0, ["见证方", "Witnesses"], ["院外参与定种子的人；有一方诚实，结果就无法预先选定。0 为不设。", "People outside who take part in the seed; with one honest one nobody can choose the result. 0: none."], { when: draws, unit: ["方", "parties"] }),
      rule("draw.beacon", "text", 0, 40, "", ["公共随机信标", "Public beacon"], ["信标的名称，如 drand；留空为不用。须先由信息科接好。", "Its name, such as drand; empty: none. IT has to have set it up."], { when: draws }),
      rule("draw.beacon_after_s", "span", 1, DAY, 10, ["封存后多久的信标作数", "Which round counts"], ["封存报名之后至少这么久发布的那一轮。", "The one published at least this long after the entries were sealed."], { when: witnessed }),
      rule("draw.beacon_period_s", "span", 1, 7 * DAY, 30, ["信标间隔", "Between two rounds"], ["由信标的提供方规定。", "As the beacon’s maker says."], { when: witnessed }),
      rule("draw.beacon_genesis_s", "number", 0, 4_000_000_000, 1_595_431_050, ["信标第 1 轮", "The beacon’s round 1"], ["Unix 时间，由信标的提供方规定。", "In Unix time, as the beacon’s maker says."], { when: witnessed, unit: ["秒", "s"] }),
    ],
  },
  {
    words: ["候补", "The waitlist"],
    rules: [
      rule("waitlist.open", "yes", null, null, true, ["设候补", "There is a waitlist"], ["退回的号按候补次序给出，不回到公开号池。", "Returned slots go down it and not back to the public."]),
      rule("waitlist.batch_s", "span", 10, 2 * DAY, 1800, ["一批的时间", "A batch lasts"], ["这段时间内加入的人算同一批，批内次序抽签定，所以早一秒没有用。", "Those who join within this time are put in order by draw, so a second earlier gains nothing."], { when: waits }),
      rule("waitlist.people_max", "number", 1, 10, 4, ["一同候补的人数", "People who wait together"], ["同进退。", "All or nothing."], { when: waits, unit: ["人", "at most"] }),
      rule("waitlist.waits_max", "number", 1, 100, 5, ["一人同时候补", "Waits of one person"], ["一人最多同时排几个排班的候补。", "Waitlists on which one person may stand at once."], { when: waits, unit: ["个排班", "at most"] }),
      rule("waitlist.offer_s", "span", 60, 2 * DAY, 1800, ["发来的号保留", "An offer stands for"], ["过时不接受，给下一位。", "After it the next has it."], { when: waits }),
      rule("waitlist.near_before_s", "span", 0, 7 * DAY, 4 * 3600, ["就诊前多久算临近", "Near begins"], ["从就诊前这么久起，用下面较短的保留时间。", "From this long before the session the shorter time below holds."], { when: waits }),
      rule("waitlist.offer_near_s", "span", 60, DAY, 600, ["临近就诊时保留", "An offer stands, near it"], ["", ""], { when: waits }),
      rule("waitlist.quiet_from_min", "time", 0, 1439, 1320, ["夜间从", "Night from"], ["夜间不计时，睡着的人不会错过号。起止相同为不设。", "No time runs at night, so nobody misses a slot asleep. The same twice: none."], { when: waits }),
      rule("waitlist.quiet_to_min", "time", 0, 1439, 420, ["夜间到", "Night to"], ["", ""], { when: waits }),
      rule("waitlist.closes_before_s", "span", 0, 7 * DAY, 1800, ["候补截止", "The waitlist closes"], ["就诊前这么久。", "This long before the session."], { when: waits }),
    ],
  },
  {
    words: ["退号", "Returned slots"],
    rules: [
      rule("returns.rest_least_s", "span", 60, DAY, 3600, ["最早公开", "Public at the earliest"], ["无人候补的退号在最早与最迟之间的随机时刻公开，盯着刷的人无从等起。", "What nobody waits for opens at a moment that is left to chance, so there is nothing to lie in wait for."]),
      rule("returns.rest_most_s", "span", 660, 2 * DAY, 7200, ["最迟公开", "And at the latest"], ["须比最早至少多 10 分钟。", "At least 10 minutes after the earliest."]),
      rule("returns.care_pool", "yes", null, null, true, ["当日退号先照顾", "Same-day care pool"], ["当日退号先留给 65 岁及以上、残疾或孕期的就诊人。", "Same-day returns are first for people of 65 and older, disabled or pregnant."]),
      rule("returns.care_until_s", "span", 0, DAY, 3600, ["照顾号转窗口", "The care pool’s rest"], ["就诊前这么久，没用完的转到窗口。", "This long before the session it goes to the window."], { when: (body) => body.returns?.care_pool !== false }),
    ],
  },
];

const number = (name, start, words, help, unit, more = {}) => rule(name, "number", name.startsWith("live_") ? 1 : 0, 100_000_000, start, words, help, { unit, ...more });
const span = (name, start, words, help) => rule(name, "span", 0, 100_000_000, start, words, help);
const counted = (start, words) => [start, words, ["累计这么多次后限制预约；0 为不限制。", "So many bring a block; 0: never."], ["次", "times"]];
const within = (start) => [start, ["在多少天内累计", "Counted within"], ["", ""], ["天", "days"]];
const block = (start) => [start, ["限制预约多久", "The block lasts"], ["到期自动解除。", "It lapses by itself."], ["天", "days"]];

const LIMITS = [
  {
    words: ["一个人最多持有", "What one person may hold"],
    help: ["按身份证号计，换账号、换手机不能多占。", "Counted by ID number: another account or phone gains nothing."],
    rules: [
      number("live_per_person", 8, ["未就诊的预约共", "Open bookings in all"], ["已就诊的不算。", "What was attended holds nothing."], ["个", "at most"]),
      number("live_per_department_day", 1, ["同一天同一科室", "A day in one department"], ["", ""], ["个", "at most"]),
      number("live_per_day", 3, ["同一天，全部科室", "A day, over all departments"], ["", ""], ["个", "at most"]),
      number("live_per_week", 5, ["同一周（周一至周日）", "A week, Monday to Sunday"], ["", ""], ["个", "at most"]),
    ],
  },
  {
    words: ["退号", "Returns"],
    rules: [
      span("cooling_after_return_s", 600, ["退号后的冷静期", "Cooling time after a return"], ["期间不能再约同一科室；0 为不设。", "No booking in that department meanwhile; 0: none."]),
      span("late_return_before_s", 4 * 3600, ["距就诊多近算临近退号", "A return is late from"], ["", ""]),
      number("late_returns_counted", ...counted(3, ["临近退号", "Late returns"])),
      number("late_return_window_days", ...within(90)),
      number("late_return_block_days", ...block(30)),
    ],
  },
  {
    words: ["占号不付", "Holding without paying"],
    rules: [number("unpaid_holds_counted", ...counted(3, ["占号到期未付", "Holds that ran out unpaid"])), number("unpaid_hold_window_days", ...within(7)), number("unpaid_hold_block_days", ...block(2))],
  },
  {
    words: ["爽约", "No-shows"],
    rules: [number("no_shows_counted", ...counted(3, ["爽约", "No-shows"])), number("no_show_window_days", ...within(365)), number("no_show_block_days", ...block(90)), span("no_show_grace_s", 0, ["排班结束后多久才算爽约", "Grace after the session’s end"], ["", ""])],
  },
];

const BINDING = [
  {
    words: ["一个账号", "An account"],
    rules: [
      rule("max_patients_per_account", "number", 1, 100, 5, ["同时绑定的就诊人", "Patients bound at a time"], ["一对夫妻、一个孩子、两位老人为 5。", "A couple, a child and two elders are 5."], { unit: ["人", "at most"] }),
      rule("bindings_without_cooling", "number", 1, 100, 3, ["前多少次绑定不用等", "Bindings without a wait"], ["已解绑的也计入，否则解了再绑就没有限制。", "Unbound ones count too, or churn would be free."], { unit: ["次", ""] }),
      rule("binding_cooling_s", "span", 0, 365 * DAY, DAY, ["此后每次须等", "After those, wait"], ["从上一次绑定算起。", "Since the latest binding."]),
      rule("hot_binding_age_s", "span", 0, 365 * DAY, 3 * DAY, ["绑定多久后可约热门号", "Age of a binding for hot sessions"], ["", ""]),
      rule("max_owner_corrections", "number", 0, 100, 3, ["核验前可自行更正", "Corrections before verification"], ["再多就能靠试错猜出别人的姓名。", "With more, names could be guessed."], { unit: ["次", "times"] }),
    ],
  },
  {
    words: ["儿童", "Children"],
    rules: [
      rule("guardian_required_under_years", "number", 0, 18, 18, ["未满几岁须有监护人", "A guardian is needed under"], ["", ""], { unit: ["岁", "years"] }),
      rule("max_guardians_per_child", "number", 1, 10, 2, ["每位儿童的监护人", "Guardians of a child"], ["", ""], { unit: ["人", "at most"] }),
      rule("max_children_per_guardian", "number", 1, 100, 5, ["每位监护人的儿童", "Children of a guardian"], ["", ""], { unit: ["人", "at most"] }),
      rule("newborn_under_years", "number", 0, 6, 1, ["未满几岁可用户口簿页登记", "Household register page under"], ["", ""], { unit: ["岁", "years"] }),
    ],
  },
];

const ANTENATAL = [
  {
    words: ["名额", "Places"],
    rules: [
      rule("places.default", "number", 0, 100_000, 0, ["每个预产期月份", "A due month"], ["产科一个月能接生多少。", "How many births the department can take."], { unit: ["个名额", "places"] }),
      rule("places.months", "months", 0, 100_000, {}, ["名额不同的月份", "Months with another number"], ["", ""]),
      rule("places.yearly", "number", 0, 1_200_000, 0, ["全年", "A year"], ["任何一年各月之和不得超过。", "No year’s months may exceed it."], { unit: ["个名额", "places"] }),
      rule("tiers", "tiers", 0, 100, { green: 60, yellow: 25, orange: 10, red: 4, purple: 1 }, ["妊娠风险等级", "Risk tiers"], ["各级占名额的百分比，合计 100。", "Shares of the places in percent, 100 together."]),
      rule("lending", "lending", 0, 366, [], ["余额调剂", "Lending"], ["某级没用完的名额，从截止前第几天起可给哪些级；不写就不调剂。", "From how many days before the close a tier’s unused places may go to which others; without a rule, never."]),
    ],
  },
  {
    words: ["时间", "When"],
    rules: [
      rule("publish.months_before", "number", 1, 9, 7, ["提前公布", "Published"], ["早于预产期月份这么多个月。", "So many months before the due month."], { unit: ["个月", "months before"] }),
      rule("publish.day", "number", 1, 28, 1, ["在那个月的几日", "On day"], ["", ""], { unit: ["日", "of that month"] }),
      rule("publish.minute", "time", 0, 1439, 480, ["几点", "At"], ["", ""]),
      rule("apply_window_s", "span", 60, 60 * DAY, 3 * DAY, ["申请窗口", "Entry window"], ["窗口内不分先后，结束后抽签。", "Within it no moment counts; then it is drawn."]),
      rule("close_months_before", "number", 0, 8, 3, ["提前截止", "Closes"], ["在那个月的月初。", "At the start of that month."], { unit: ["个月", "months before"] }),
      rule("confirm_days", "number", 1, 90, 14, ["携材料确认时限", "Time to come with papers"], ["", ""], { unit: ["天", "days"] }),
    ],
  },
  {
    words: ["谁可以申请", "Who may apply"],
    rules: [
      rule("gestation_weeks.from", "number", 0, 40, 5, ["满多少孕周起", "From completed week"], ["", ""], { unit: ["周", "weeks"] }),
      rule("gestation_weeks.to", "number", 0, 40, 20, ["到多少孕周止", "Up to completed week"], ["", ""], { unit: ["周", "weeks"] }),
    ],
  },
];

export const POLICIES = {
  release: { words: ["放号", "Release"], sections: RELEASE },
  booking_limits: { words: ["限额与处罚", "Limits and penalties"], sections: LIMITS },
  binding: { words: ["绑定", "Binding"], sections: BINDING },
  antenatal: { words: ["产科建档", "Antenatal registration"], sections: ANTENATAL },
};

// Which of them a policy's kind, as approvals name it, belongs to.
export const policyOf = (kind) => POLICIES[kind.startsWith("release:") ? "release" : kind];
export const rulesOf = (policy) => policy.sections.flatMap((section) => section.rules);
export const matters = (one, body) => !one.when || one.when(body);

export const valueAt = (body, name) => name.split(".").reduce((found, key) => (found === null || found === undefined ? undefined : found[key]), body);
export const ruleValue = (one, body) => {
  const found = valueAt(body, one.name);
  return found === undefined ? one.start : found;
};
