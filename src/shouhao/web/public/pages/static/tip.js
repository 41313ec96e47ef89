// Makes pictures of a tip smaller before they leave the phone, which also leaves place and camera behind. The server does both again.

const LONGEST = 2400;
const PIXELS = 4_000_000;

async function smaller(file, limit) {
  if (!/^image\/(jpeg|png|webp)$/.test(file.type)) return file;
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, LONGEST / Math.min(picture.width, picture.height), Math.sqrt(PIXELS / (picture.width * picture.height)));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const made = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
  return made && made.size <= limit ? new File([made], "picture.jpg", { type: "image/jpeg" }) : file;
}

for (const input of document.querySelectorAll("input[type=file][data-bytes]")) {
  input.addEventListener("change", async () => {
    const most = Number(input.dataset.most);
    const english = document.documentElement.lang === "en";
    const many = input.files.length > most;
    input.setCustomValidity(many ? (english ? `At most ${most} pictures` : `最多 ${most} 张`) : "");
    if (many) {
      input.reportValidity();
      return;
    }
    const kept = new DataTransfer();
    for (const file of input.files) kept.items.add(await smaller(file, Number(input.dataset.bytes)).catch(() => file));
    input.files = kept.files;
  });
}
