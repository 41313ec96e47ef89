// Words of the patients' desk: papers, halves of a day, kinds of release, states of bookings, entries, waits and money.

import { documentLanguage, pair, say } from "../words.js";

export const DOCUMENTS = {
  resident_id: ["居民身份证", "Resident ID card"],
  household_register: ["户口簿（婴儿）", "Household register (infant)"],
  passport: ["护照", "Passport"],
  hk_macau_permit: ["港澳居民来往内地通行证", "Hong Kong and Macau permit"],
  taiwan_permit: ["台湾居民来往大陆通行证", "Taiwan permit"],
  permanent_residence_card: ["外国人永久居留身份证", "Permanent residence card"],
};
export const SEXES = { male: ["男", "male"], female: ["女", "female"] };
export const VERIFICATIONS = {
  pending: ["身份待核验", "Not confirmed yet"],
  in_review: ["照片待审核", "Photo in review"],
  verified: ["身份已核验", "Confirmed"],
  rejected: ["核验未通过", "Not confirmed: refused"],
};
export const VERIFIERS = { window: ["窗口", "at the window"], photo_review: ["照片审核", "by photo"], format_only: ["仅格式", "format only"] };
export const HALVES = { am: ["上午", "morning"], pm: ["下午", "afternoon"], evening: ["晚间", "evening"] };
export const KINDS = { general: ["普通", "general"], expert: ["专家", "expert"], special: ["特需", "special"], antenatal: ["建档", "antenatal"] };
export const RELEASES = { draw: ["抽签", "Draw"], first_come: ["先约先得", "First come"], mixed: ["抽签＋先约", "Draw and first come"] };
export const BOOKINGS = {
  offered: ["待确认", "To be accepted"],
  held: ["待收费", "To be paid"],
  booked: ["已预约", "Booked"],
  checked_in: ["已取号", "Checked in"],
  returned: ["已退号", "Returned"],
  expired: ["超时已释放", "Ran out"],
  no_show: ["爽约", "Did not come"],
};
export const MONEY = { none: ["免费", "free"], unpaid: ["未收费", "not paid"], paid: ["已收费", "paid"], refund_due: ["待退费", "to be given back"], refunded: ["已退费", "given back"] };
export const ENTRIES = { entered: ["已报名", "Entered"], withdrawn: ["已撤回", "Withdrawn"], won: ["已抽中", "Won"], lost: ["未抽中", "Not drawn"] };
export const WAITS = {
  batch: ["等待排序", "Order not drawn"],
  waiting: ["候补中", "Waiting"],
  offered: ["已发号，待确认", "Offered"],
  served: ["已得号", "Served"],
  lapsed: ["逾期未确认", "Lapsed"],
  left: ["已退出", "Left"],
  ended: ["已结束", "Over"],
};
export const CHANNELS = { window: ["窗口", "window"], phone: ["电话", "phone"], kiosk: ["自助机", "kiosk"], app: ["App", "app"], web: ["网页", "web"], wechat: ["微信", "WeChat"] };
export const FIELDS = { name: ["姓名", "Name"], phone: ["手机号", "Phone"], birth_day: ["出生日期", "Birth day"], sex: ["性别", "Sex"], guardian: ["监护人", "Guardian"] };
export const GROUNDS = { aged: ["已满 65 周岁", "65 or older"], disabled: ["残疾证明有效", "proof of disability"], pregnant: ["怀孕证明有效", "proof of pregnancy"] };
export const CARE_KINDS = { disabled: ["残疾", "Disabled"], pregnant: ["怀孕", "Pregnant"] };
export const PROOFS = {
  disability_certificate: ["残疾人证", "Disability certificate"],
  veterans_disability_certificate: ["残疾军人证", "Disabled veteran’s certificate"],
  duty_disability_certificate: ["伤残人民警察证等因公伤残证", "Certificate of disability on duty"],
  maternity_record: ["孕产妇保健手册", "Maternity record"],
  pregnancy_diagnosis: ["妊娠诊断证明", "Diagnosis of pregnancy"],
};
export const PROOFS_OF = {
  disabled: ["disability_certificate", "veterans_disability_certificate", "duty_disability_certificate"],
  pregnant: ["maternity_record", "pregnancy_diagnosis"],
};

export const yuan = (cents) => `¥${(cents / 100).toFixed(cents % 100 ? 2 : 0)}`;
// A calendar day is the same day whatever the zone of the screen.
export const dayOf = (day) =>
  new Intl.DateTimeFormat(documentLanguage(), { timeZone: "UTC", month: "short", day: "numeric", weekday: "short" }).format(new Date(`${day}T00:00:00Z`));
export const halfOf = (it) => `${dayOf(it.day)} ${pair(HALVES[it.half]) || it.half}`;
export const doctorOf = (it) => say(it.doctor_zh, it.doctor_en || it.doctor_zh) || say("普通号", "any doctor");
export const placeOf = (it) => `${say(it.department_zh, it.department_en || it.department_zh)} · ${doctorOf(it)}`;
