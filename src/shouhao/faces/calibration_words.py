"""Words of the calibration page: reasons and limits, Chinese and English."""

#: why no threshold keeps the budget
WHY_NOT: dict[str, tuple[str, str]] = {
    "too_few_photographs": (
        "照片太少：既数不出这么小的误匹配率，也不足以拟合尾部并在另一些人身上检验。",
        "Too few photographs: so small a rate cannot be counted, nor a tail be fitted and tried on other people.",
    ),
    "too_far_beyond": (
        "所需的误匹配率比能数出来的还小一千倍以上，外推没有意义。",
        "The rate that is needed is more than a thousand times below what can be counted; no fit is worth stating.",
    ),
    "fit_failed": (
        "拟合的尾部在未参与拟合的人身上不成立，因此不给出外推阈值。",
        "The fitted tail did not hold for people it was not fitted on, so no extrapolated threshold is stated.",
    ),
}

#: what this measurement does not say
LIMITS: tuple[tuple[str, str], ...] = (
    (
        (
            "这里量的是这些照片，不是贵院的摄像头。抓拍的光线、角度、口罩、清晰度不同，漏报通常更多；"
            "上线前应以本院抓拍（依法取得）再校准一次。"
        ),
        (
            "These are rates on these photographs, not on the hospital's cameras. Light, angle, masks and sharpness of "
            "captures differ, and more is usually missed; calibrate again on the hospital's own captures, lawfully "
            "taken, before going live."
        ),
    ),
    (
        "误报率随人群变化：年龄、性别、族群与来院者不同的照片，给出的阈值也不同。",
        (
            "False matches depend on who is compared: photographs of people unlike the visitors in age, sex or origin "
            "give other thresholds."
        ),
    ),
    (
        (
            "误报数按“通行人次 × 名单照片数 × 误匹配率”计算。这是误匹配的期望数，不需要独立性假定；"
            "误报人次不会超过它。同一人反复经过会反复误报。"
        ),
        (
            "False alarms are passages x photographs on the list x FMR. That is the expected number of false matches "
            "and needs no independence; the passages that raise an alarm are that many or fewer. Somebody who comes by "
            "again raises it again."
        ),
    ),
    (
        (
            "区间为 95%：逐一剔除每个人（刀切法），因为同一人的比对互不独立；偏宽而不偏窄。"
            "阈值由同一批照片选出，这一点没有计入比率的区间。"
        ),
        (
            "Intervals are 95 %, by leaving out one person after the other (the jackknife), since comparisons of one "
            "person are not independent; they err on the wide side. That a threshold was chosen on the same "
            "photographs is not in the interval of its rates."
        ),
    ),
    (
        "外推的区间只含抽样误差。双胞胎、近亲、同一人两个名字，任何曲线都预见不到，只能靠逐对查看。",
        (
            "The interval of an extrapolated threshold holds sampling error alone. Twins, close relatives and one "
            "person under two names are foreseen by no curve; they have to be looked at."
        ),
    ),
    (
        (
            "1:N 的漏报按“本人照片的相似度低于阈值”计算，不论名次；名单上每人一张照片，现场一张抓拍。"
            "多张抓拍融合后的漏报会更少。"
        ),
        (
            "A miss in 1:N is a similarity to one's own photograph below the threshold, whatever its rank, with one "
            "photograph a person on the list and one at the door. Fusing several captures of a passage misses less."
        ),
    ),
)
