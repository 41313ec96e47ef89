"""Words of the page: every sentence in Chinese and English. Fields in braces are filled in by the sections.

The limits of the method stand in limits_words.py.
"""

from collections.abc import Mapping

Words = tuple[str, str]

WORDS: Mapping[str, Words] = {
    # The head of the page
    "title": ("号源倒卖线索分析", "Slot scalping: what the records point to"),
    "title.by": ("守号 Shouhao · 生成于 {made_at}", "守号 Shouhao · made at {made_at}"),
    "verdict.none": (
        "这些记录没有指向任何对象。这不等于没有人倒号。",
        "These records point to nobody. That does not mean that nobody scalps slots.",
    ),
    "verdict.some": ("记录指向 {found} 个对象：{levels}。", "The records point to {found} subjects: {levels}."),
    "verdict.next": (
        "从表格最上面开始看。每一条都写明依据的原始记录，也写明为其说话的情况；认定与处理由人决定。",
        (
            "Start at the top of the table. Each finding names the raw lines it rests on and what speaks for the "
            "subject; a person decides what it means and what follows."
        ),
    ),
    "verdict.set_aside": (
        "有 {count} 行没有读懂，已单独放置；结论只对读懂的部分成立。",
        "{count} lines were not understood and were set aside; all that is said holds for the rest alone.",
    ),
    "verdict.not_whole": (
        "有 {count} 个文件没有读到末尾（见“读了什么”）。",
        "Files that could not be read to their end: {count} (see “What was read”).",
    ),
    "private": (
        "本页含原始日志行（网络地址、设备、账号），属于个人信息：只给需要的人看，查看要留痕，用完按规定删除。",
        (
            "This page holds raw log lines (addresses, devices, accounts), which are personal data: show it to "
            "those who need it, keep a record of who looked, and erase it when the rules say so."
        ),
    ),
    "tile.certain-pattern": ("个确定模式", "certain patterns"),
    "tile.strong": ("个强线索", "strong"),
    "tile.lead": ("个一般线索", "leads"),
    "tile.hits": ("行访问日志", "log lines"),
    "tile.events": ("条预约事件", "booking events"),
    "tile.set_aside": ("行没有读懂", "lines not understood"),
    "to.findings": ("发现", "Findings"),
    "to.rings": ("关联群组", "Rings"),
    "to.hot": ("热门号", "Hot slots"),
    "to.read": ("读了什么", "What was read"),
    "to.limits": ("局限", "Limits"),
    "to.repeat": ("重新运行", "Run it again"),
    # Levels and kinds
    "level.lead": ("一般线索", "lead"),
    "level.strong": ("强线索", "strong"),
    "level.certain-pattern": ("确定模式", "certain pattern"),
    "levels.count": ("{level} {count} 个", "{count} × {level}"),
    "levels.and": ("、", ", "),
    "kind.account": ("账号", "account"),
    "kind.device": ("设备", "device"),
    "kind.ip": ("网络地址", "address"),
    "kind.prefix": ("网段", "prefix"),
    "kind.staff": ("工作人员", "staff"),
    "kind.ring": ("关联群组", "ring"),
    "kind.patient": ("就诊人", "patient"),
    "kind.payer": ("付款人", "payer"),
    "kind.session": ("排班", "session"),
    "kind.session_token": ("登录会话", "sign-in"),
    "kind.phone": ("手机号", "phone"),
    "kind.face": ("人脸", "face"),
    "kind.frame": ("画面", "frame"),
    "kind.hand_over": ("转手", "hand-over"),
    "kind.cohort": ("同一批", "one batch"),
    "kind.other": ("其他", "other"),
    # How to read a finding
    "how": ("怎样读一条发现", "How to read a finding"),
    "how.pointer": (
        (
            "发现是指路，不是证据结论。它说：这些记录与普通人的记录差得有多远。是不是倒号，要由人核对就诊、付款和当"
            "事人的解释后决定。"
        ),
        (
            "A finding points; it proves nothing by itself. It says how far these records are from other people's. "
            "Whether it is scalping a person decides, after checking attendance, payments and what the people "
            "concerned say."
        ),
    ),
    "how.score": (
        (
            "分数是对数赔率：从基准率起算，加上各条理由的权重，减去重叠的部分和为其说话的情况。每加 2.3 分，赔率变"
            "为十倍。分数不是“有罪的概率”。"
        ),
        (
            "The score is log-odds: from the base rate, plus the weights of the reasons, less their overlaps and "
            "what speaks for the subject. Every 2.3 make the odds ten times as long. It is not a probability of "
            "guilt."
        ),
    ),
    "how.causes": (
        "级别不只看分数：强线索和确定模式还要求几种互不相干的成因。单一成因再重，也只是一般线索。",
        (
            "A level is not a matter of the score alone: strong and certain patterns also ask for several "
            "independent causes. One cause alone is a lead, however heavy."
        ),
    ),
    "how.figures": (
        "每条理由都给出：测得值、一般人的值、从多少起才计入、权重。条上的编号与图中的编号相同。",
        (
            "Each reason states what was measured, what is usual, from where on it counts, and its weight. The "
            "numbers on the reasons are those in the plot."
        ),
    ),
    "how.fields": (
        "账号、设备等都是代号。对应到谁，只有医院按规定程序才能查。",
        (
            "Accounts, devices and so on are pseudonyms. Only the hospital can find out whose they are, by its "
            "procedure."
        ),
    ),
    "how.level": ("级别", "level"),
    "how.means": ("意思", "what it means"),
    "how.do": ("建议怎么做", "what to do"),
    "how.from": ("起始分数", "from score"),
    "means.lead": ("不寻常，但常有清白的解释", "unusual, but often with an honest explanation"),
    "means.strong": ("很不寻常，清白的解释少见", "very unusual; honest explanations are rare"),
    "means.certain-pattern": (
        "行为模式确定，例如机器操作；确定的是模式，不是谁的责任",
        "the pattern is certain, as that a machine acted; certain is the pattern, not who is to blame",
    ),
    "do.lead": ("先不打扰对方；留意下次放号", "leave the person alone; watch the next release"),
    "do.strong": (
        "由两人核对原始行、就诊和付款记录；可加验证，不直接封号",
        "two people check the raw lines, attendance and payments; ask for more proof, do not ban",
    ),
    "do.certain-pattern": (
        "保全原始文件（连同哈希），报保卫处；由人决定是否移交",
        (
            "preserve the original files with their hashes and tell the security office; a person decides on "
            "handing over"
        ),
    ),
    # The table of findings
    "findings": ("发现", "Findings"),
    "findings.intro": (
        "按分数排序。前 {full} 个在下面详细列出，其余见 findings.jsonl。",
        "Sorted by score. The first {full} stand in full below; the others are in findings.jsonl.",
    ),
    "findings.all_full": ("按分数排序，点编号看详情。", "Sorted by score; each number leads to the details."),
    "findings.table_cut": (
        "表格只列前 {shown} 个，共 {found} 个；全部见 findings.jsonl。",
        "The table shows the first {shown} of {found}; all are in findings.jsonl.",
    ),
    "findings.folded": (
        "其中 {count} 个对象是上方团伙的成员，折叠在团伙所在的行里。",
        "{count} of the subjects are members of a ring above them and are folded into its row.",
    ),
    "findings.none": (
        "没有对象达到“一般线索”。请先看“局限”，再看输入里缺什么。",
        "No subject reached the level of a lead. See the limits, and what the input lacks.",
    ),
    "filter.level": ("级别", "Level"),
    "filter.kind": ("对象", "Subject"),
    "filter.all": ("全部", "all"),
    "head.number": ("编号", "no."),
    "head.subject": ("对象", "subject"),
    "head.level": ("级别", "level"),
    "head.score": ("分数", "score"),
    "head.reason": ("最重的理由", "weightiest reason"),
    "head.speaks": ("为其说话", "speaks for it"),
    "head.when": ("时间", "when"),
    "table.more_reasons": ("另有 {count} 条理由", "other reasons: {count}"),
    "table.folded": ("另列为发现的成员（{count}）", "members with findings of their own ({count})"),
    "table.speaks": ("{count} 条", "{count}"),
    # One finding
    "finding.of": ("发现 {number}", "Finding {number}"),
    "finding.when": ("{first} 至 {last}", "{first} to {last}"),
    "finding.id": ("发现编号", "finding id"),
    "finding.score": ("分数 {score}", "score {score}"),
    "finding.back": ("回到表格", "back to the table"),
    "finding.members": ("成员（{count}）", "members ({count})"),
    "finding.members_cut": ("另有 {count} 个，见 findings.jsonl", "{count} more in findings.jsonl"),
    "finding.to_ring": ("看关联图", "see it drawn"),
    "finding.reasons": ("指向它的理由（{count}）", "What points to it ({count})"),
    "finding.speaks": ("为它说话的情况（{count}）", "What speaks for it ({count})"),
    "finding.nothing_speaks": (
        "没有识别出为其说话的情况。这不等于没有：核查时先问家庭、单位、代办等原因。",
        (
            "Nothing was recognised that speaks for it. That does not mean there is nothing: when checking, first "
            "ask about family, workplace, or booking on another's behalf."
        ),
    ),
    "reason.measured": ("测得", "measured"),
    "reason.expected": ("一般人", "usual"),
    "reason.threshold": ("从此计入", "counts from"),
    "reason.weight": ("权重", "weight"),
    "reason.owasp": ("自动化威胁（OWASP）", "automated threat (OWASP)"),
    "reason.code": ("代码", "code"),
    "reason.lines": ("原始行：{places} 处，显示开头", "raw lines: {places} places, the first shown"),
    "reason.lines_total": (
        "原始行：共 {total} 行，引用 {places} 处，显示开头",
        "raw lines: {total} in all, {places} places cited, the first shown",
    ),
    "reason.no_lines": ("没有可引用的原始行", "no raw lines to cite"),
    "reason.events": ("事件编号：{shown}", "event ids: {shown}"),
    "reason.events_more": ("事件编号：{shown} 等 {count} 个", "event ids: {shown} and others, {count} in all"),
    "excerpt.at": ("{file}，字节 {start}–{end}", "{file}, bytes {start}–{end}"),
    "excerpt.unpacked": ("（解压后的字节）", " (of the unpacked stream)"),
    "excerpt.encoding": ("，编码 {encoding}", ", encoded in {encoding}"),
    "excerpt.more": ("这一处还有更多，用命令可全部取出：", "There is more of it; this command cuts out all of it:"),
    "excerpt.cut": ("用命令取出同样的字节：", "This command cuts out the same bytes:"),
    "excerpt.marked": (
        "底色不同的符号代替看不见的字符（控制符、方向符等）。",
        "Shaded signs stand for characters that cannot be seen (controls, changes of direction and the like).",
    ),
    "trouble.missing": ("文件不在原处，无法再读", "the file is not there any more"),
    "trouble.short": ("文件已变短，读不到这一处", "the file is shorter now and ends before this place"),
    "trouble.broken": ("压缩文件在此处或之前已损坏", "the compressed file is broken at or before this place"),
    # Score as a waterfall
    "waterfall": ("分数怎样得来（对数赔率）", "How the score comes about (log-odds)"),
    "waterfall.start": ("起点（基准率）", "start (base rate)"),
    "waterfall.reason": ("理由 {number}", "reason {number}"),
    "waterfall.speaks": ("为其说话 {number}", "speaks for it {number}"),
    "waterfall.allowance": ("折减 {number}", "allowance {number}"),
    "waterfall.rest": ("未说明", "not told"),
    "waterfall.other": ("其余 {count} 条", "{count} others"),
    "waterfall.sum": ("合计", "sum"),
    "waterfall.odds": (
        "合计 {score}，即在本方法的前提下赔率约 {odds}。",
        "The sum is {score}: under the assumptions of the method, odds of about {odds}.",
    ),
    "waterfall.rest_told": (
        "“未说明”是分数中没有列出来由的部分。",
        "“Not told” is what of the score no term accounts for.",
    ),
    # Rhythm
    "rhythm.gaps": ("相邻两次请求的间隔", "Time between one request and the next"),
    "rhythm.reactions": ("放号到第一次尝试的时间", "From the release to the first try"),
    "rhythm.hours": ("一天中的时刻", "Hours of the day"),
    "rhythm.counts": (
        "它 {own} 次；对照 {others} 次，{people} 个同类对象",
        "{own} of its own; {others} of {people} others of the kind",
    ),
    "key.own": ("它", "it"),
    "key.others": ("其他人", "others"),
    "key.up": ("增加", "adds"),
    "key.down": ("减少", "takes off"),
    # Rings
    "rings": ("关联群组", "Rings"),
    "rings.intro": (
        (
            "成员因共用设备、付款人、手机号等而连在一起。线越粗，联系越强；虚线通向“桥”：没有这个设备（或付款人等），"
            "群组就散成几个，所以先核查它。"
        ),
        (
            "Members hang together by shared devices, payers, phones and so on. The thicker a line, the stronger "
            "the tie; dashed lines lead to a bridge: without that device (or payer, and so on) the ring falls "
            "apart, so check it first."
        ),
    ),
    "rings.one": (
        "{members} 个节点，{edges} 条联系，{bridges} 座桥",
        "{members} nodes, {edges} ties, {bridges} bridges",
    ),
    "rings.cut": (
        "图中只画联系最多的 {drawn} 个，共 {count} 个；全部见 rings.graphml。",
        "Only the {drawn} best tied of {count} are drawn; all are in rings.graphml.",
    ),
    "rings.more": (
        "只画前 {shown} 个群组，共 {count} 个；全部见 rings.graphml。",
        "Only the first {shown} of {count} rings are drawn; all are in rings.graphml.",
    ),
    "rings.legend": ("图中编号（{count}）", "numbers in the drawing ({count})"),
    "rings.bridge": ("通向桥", "to a bridge"),
    # Hot sessions
    "hot": ("热门号", "Hot slots"),
    "hot.intro": (
        "放号后很快约满的排班。百分比以放号后至少被约过一次的号为准，因为导出里没有号源总数。",
        (
            "Sessions that were gone soon after their release. Shares are of the slots that were booked at all, "
            "since an export does not say how many there were."
        ),
    ),
    "hot.curves": (
        "放号后各秒已被约走的比例（横轴对数）",
        "Share taken by seconds after the release (logarithmic across)",
    ),
    "hot.session": ("排班", "session"),
    "hot.slots": ("号数", "slots"),
    "hot.half": ("一半约走", "half gone"),
    "hot.most": ("九成约走", "nine tenths gone"),
    "hot.forecast": ("下次预计约完用时", "forecast: until sold out"),
    "hot.forecast_of": ("{middle}（{low}–{high}）", "{middle} ({low}–{high})"),
    "hot.release_at": ("{at} 放号", "released at {at}"),
    "hot.learnt": ("据 {releases} 次放号", "from {releases} releases"),
    "hot.forecast_note": (
        "预计按同一医生、同一星期几的历次放号推算，括号内是五次中约四次会落入的范围。",
        (
            "The forecast rests on earlier releases of the same doctor and weekday; four of five should fall "
            "within the range in brackets."
        ),
    ),
    "activity": ("一天中的请求量", "Requests over the day"),
    "activity.hits": (
        "访问日志，每分钟行数，各日相加（纵轴对数）",
        "Access logs, lines a minute, all days together (logarithmic)",
    ),
    "activity.events": (
        "预约事件，每分钟条数，各日相加（纵轴对数）",
        "Booking events a minute, all days together (logarithmic)",
    ),
    # Who was looked at
    "looked": ("看过而没有异常的", "Looked at and unremarkable"),
    "looked.intro": (
        "没有发现的对象不列名，只计数。",
        "Those about whom nothing was found are counted and not named.",
    ),
    "looked.kind": ("种类", "kind"),
    "looked.count": ("看过", "looked at"),
    "looked.found": ("有发现", "with a finding"),
    "looked.plain": ("没有异常", "unremarkable"),
    "looked.abstained": (
        "下列规则没有发言，因为输入里缺列或数据太少：",
        "These rules said nothing, because the input lacks columns or has too little:",
    ),
    "looked.rule": ("规则", "rule"),
    "looked.missing": ("缺少", "lacking"),
    "looked.too_few": ("数据太少", "too few data"),
    # What was read
    "read": ("读了什么", "What was read"),
    "read.span": ("时间范围 {first} 至 {last}（北京时间）。", "From {first} to {last} (Beijing time)."),
    "read.overlap": (
        "日志与预约事件共同覆盖 {first} 至 {last}；需要两者对照的规则只看这一段。",
        "Logs and booking events both cover {first} to {last}; rules that need both look at that time alone.",
    ),
    "read.no_overlap": (
        "日志与预约事件没有共同的时间段，或只有其中一种：需要两者对照的规则没有发言。",
        "Logs and booking events share no time, or there is only one of them: rules that need both said nothing.",
    ),
    "read.duplicates": (
        "{count} 行重复出现在多个文件里（轮转、重叠导出），只计一次。",
        "{count} lines stand in more than one file (rotated or overlapping) and are counted once.",
    ),
    "read.late": (
        "{count} 条事件迟到，已按发生时间归位。",
        "{count} events came late and were put where they belong in time.",
    ),
    "skew.ahead": (
        (
            "{source} 的时钟比 {against} 快 {ahead}（中间一半的估计在 {low} 至 {high}），据 {pairs} 次两边都有记录"
            "的操作。"
        ),
        (
            "The clock of {source} is {ahead} ahead of {against} (the middle half of the estimates: {low} to "
            "{high}), from {pairs} acts that both recorded."
        ),
    ),
    "skew.behind": (
        (
            "{source} 的时钟比 {against} 慢 {ahead}（中间一半的估计在 {low} 至 {high}），据 {pairs} 次两边都有记录"
            "的操作。"
        ),
        (
            "The clock of {source} is {ahead} behind {against} (the middle half of the estimates: {low} to "
            "{high}), from {pairs} acts that both recorded."
        ),
    ),
    "read.sources": ("{count} 个文件", "{count} files"),
    "source.file": ("文件", "file"),
    "source.kind": ("种类", "kind"),
    "source.access_log": ("访问日志", "access log"),
    "source.events": ("预约事件", "booking events"),
    "source.size": ("大小", "size"),
    "source.rows": ("读懂", "understood"),
    "source.set_aside": ("没读懂", "set aside"),
    "source.span": ("首条至末条", "first to last"),
    "source.not_whole": ("没有读到末尾", "not read to its end"),
    "problems": ("没有读懂的地方（{count} 处）", "What was not understood ({count} places)"),
    "problems.line": ("行", "line"),
    "problems.byte": ("字节", "byte"),
    "problems.says": ("问题", "problem"),
    "problems.count": ("次数", "times"),
    "problems.cut": ("只列前 {shown} 处。", "The first {shown}."),
    # Limits, and how to run it again
    "limits": ("这份报告不能说明什么", "What this report cannot tell"),
    "repeat": ("怎样重新运行并核对", "How to run it again and check"),
    "repeat.same": (
        "同样的文件、同样的版本，得到的 findings.jsonl 逐字节相同，与文件顺序、线程数无关。",
        (
            "The same files and versions give the same findings.jsonl, byte for byte, in any order of files and on "
            "any number of threads."
        ),
    ),
    "repeat.hashes": (
        "一、在存放文件的目录里核对哈希，每行都应显示 OK：",
        "1. In the folder with the files check their hashes; each line should say OK:",
    ),
    "repeat.command": ("二、重新运行：", "2. Run it again:"),
    "repeat.places": (
        (
            "三、用每条理由下的命令取出原始字节，看是否与页面所示相同。字节从 0 起数；压缩文件按解压后的流计。原始"
            "行可能含终端控制符，不放心就在命令后加 | cat -v。"
        ),
        (
            "3. Cut out the raw bytes with the command under each reason and compare them with the page. Bytes "
            "count from 0; in compressed files, of the unpacked stream. Raw lines may hold what a terminal obeys: "
            "add | cat -v to be safe."
        ),
    ),
    "repeat.versions": ("规则版本", "versions of the rules"),
}

#: OWASP's automated threats as far as booking knows them: what the number is called in Chinese.
THREATS_ZH: Mapping[str, str] = {
    "OAT-004": "探查指纹",
    "OAT-005": "抢号倒卖",
    "OAT-006": "机器加急",
    "OAT-007": "猜测口令",
    "OAT-008": "撞库登录",
    "OAT-009": "破解验证码",
    "OAT-011": "批量抓取",
    "OAT-013": "掐点抢占",
    "OAT-014": "扫描漏洞",
    "OAT-015": "拒绝服务",
    "OAT-016": "操纵数据",
    "OAT-018": "探查结构",
    "OAT-019": "批量注册账号",
    "OAT-020": "账号归集",
    "OAT-021": "占号不用",
}
