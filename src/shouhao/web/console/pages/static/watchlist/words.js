// Words of the watchlist: states, sources, what is asked for, what happened to an entry, kinds of a difference.

export const STATES = {
  proposed: ["待批准", "proposed"],
  approved: ["布控中", "listed"],
  suspended: ["暂停（申诉）", "suspended"],
  expired: ["到期", "expired"],
  withdrawn: ["已撤销", "withdrawn"],
  erased: ["已删除", "erased"],
};
export const SOURCES = { own: ["本院", "own"], police: ["公安名单", "police"], hospital: ["外院名单", "another hospital"] };
export const BUNDLES = {
  received: ["核对中", "being looked at"],
  checked: ["待决定", "to be decided"],
  accepted: ["已接受", "accepted"],
  listed: ["已列入", "listed"],
  refused: ["未接受", "refused"],
  recalled: ["已召回", "recalled"],
  over: ["已过期", "over"],
};
export const APPEALS = { none: ["无", "none"], open: ["待结论", "open"], upheld: ["成立", "upheld"], rejected: ["不成立", "rejected"] };
export const DOCUMENTS = {
  resident_id: ["居民身份证", "resident ID"],
  passport: ["护照", "passport"],
  travel_permit: ["通行证", "travel permit"],
  residence_permit: ["居住证", "residence permit"],
  other: ["其他证件", "other"],
};
// What others are asked to agree to.
export const ASKED = {
  list: ["列入一人", "list a person"],
  renew: ["续期", "a longer term"],
  resume: ["恢复布控", "resume after an appeal"],
  erase: ["删除", "erase"],
  list_change: ["更改名单条款", "other terms of a list"],
  issuer: ["登记签发方", "register an issuer"],
  import: ["接受名单包", "accept a bundle"],
  export: ["导出名单", "export a list"],
};
// What happened to an entry.
export const ACTS = {
  proposed: ["提名", "proposed"],
  list: ["列入", "listed"],
  refuse: ["未获批准", "refused"],
  suspend: ["登记申诉，暂停", "appeal, suspended"],
  resume: ["恢复", "resumed"],
  reviewed: ["复核", "reviewed"],
  renewed: ["续期", "renewed"],
  withdraw: ["撤销", "taken off"],
  uphold: ["申诉成立", "appeal upheld"],
  expire: ["到期", "expired"],
  erase: ["删除", "erased"],
  wiped: ["资料已清除", "person data erased"],
};
// Kinds of rows of a bundle: what acceptance does with them.
export const KINDS = {
  new: ["新增", "new"],
  changed: ["变更", "changed"],
  gone: ["移除", "gone"],
  already: ["本院已有", "here already"],
  alike: ["过于相似", "too alike"],
  refused: ["不能接收", "refused"],
  same: ["不变", "the same"],
};
export const FIELDS = {
  name: ["姓名", "name"],
  aliases: ["别名", "aliases"],
  document: ["证件", "document"],
  ground_code: ["依据类别", "ground"],
  ground: ["事实与依据", "what happened"],
  photos: ["照片", "photographs"],
  documents: ["依据文件", "documents"],
  expires_at: ["到期", "end"],
};
export const KEEPERS = ["security", "police_liaison"];
