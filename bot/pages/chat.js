"use strict";
// The chat page: one WebSocket, messages drawn as text (never as HTML), buttons that send their action back, pictures.
const LARGEST_SIDE = 2048, LARGEST_FILE = 20_000_000; // as the server takes them
const log = document.getElementById("log");
const form = document.getElementById("form");
const text = document.getElementById("text");
const state = document.getElementById("state");
const photo = document.getElementById("photo");
const file = document.getElementById("file");
const labels = JSON.parse(document.body.dataset.labels); // from faq.yaml, in the browser's language
text.placeholder = labels.page_type;
photo.title = labels.page_photo;
for (const [id, key] of [["text", "page_type"], ["log", "page_talk"], ["photo", "page_photo"], ["send", "page_send"]]) {
  document.getElementById(id).setAttribute("aria-label", labels[key]);
}
let socket, wait = 500;

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/chat/ws`);
  socket.onopen = () => { log.replaceChildren(); state.textContent = labels.page_online; wait = 500; };
  socket.onmessage = (event) => receive(JSON.parse(event.data));
  socket.onclose = () => { state.textContent = labels.page_offline; setTimeout(connect, wait); wait = Math.min(wait * 2, 10000); };
}

function receive(frame) {
  if (frame.forget) log.replaceChildren();
  else if (frame.failed) tell(frame.failed);
  else draw(frame);
}

function send(frame) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
  else tell("error");
}

function tell(key) {
  draw({ from: "bot", text: labels[key] });
}

function element(tag, className, content) {
  const made = document.createElement(tag);
  made.className = className;
  if (content !== undefined) made.textContent = content;
  return made;
}

function draw(message) {
  document.querySelector(".typing")?.remove();
  const row = element("div", `row ${message.typing ? "bot typing" : message.from}`);
  if (message.picture) row.append(picture(message));
  if (message.text || message.typing) row.append(element("div", "bubble", message.typing ? "•••" : message.text));
  if (message.buttons?.length || message.picker) row.append(choices(message));
  if (message.at) row.append(element("div", "time", new Date(message.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })));
  log.append(row);
  log.scrollTop = log.scrollHeight;
}

function picture({ picture: { full, small }, from }) {
  const alt = from === "me" ? labels.page_photo_mine : labels.page_photo_clinic;
  const link = Object.assign(element("a", "picture"), { href: full, target: "_blank", rel: "noopener" });
  const image = Object.assign(document.createElement("img"), { src: small, alt });
  image.onload = () => { log.scrollTop = log.scrollHeight; };
  image.onerror = () => link.replaceWith(element("div", "bubble gone", labels.page_photo_gone));
  link.append(image);
  return link;
}

function choices(message) {
  const box = element("div", "buttons");
  for (const { label, action } of message.buttons) {
    const button = element("button", "", label);
    button.type = "button";
    button.onclick = () => send({ action, label });
    box.append(button);
  }
  if (message.picker) {
    const label = element("label", "", message.picker.label + " ");
    const input = Object.assign(document.createElement("input"), { type: "date", min: message.picker.first, max: message.picker.last, value: message.picker.initial });
    input.onchange = () => input.value && send({ action: `date:${input.value}`, label: input.value });
    label.append(input);
    box.append(label);
  }
  return box;
}

// A telephone's picture of 12 MB goes out at a tenth of that, upright and without place and camera; what this browser cannot open goes as it is.
async function smaller(chosen) {
  try {
    const bitmap = await createImageBitmap(chosen);
    const scale = Math.min(1, LARGEST_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = Object.assign(document.createElement("canvas"), { width: Math.max(1, Math.round(bitmap.width * scale)), height: Math.max(1, Math.round(bitmap.height * scale)) });
    const paper = canvas.getContext("2d");
    paper.fillStyle = "white";
    paper.fillRect(0, 0, canvas.width, canvas.height);
    paper.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return await new Promise((done) => canvas.toBlob((made) => done(made || chosen), "image/jpeg", 0.85));
  } catch {
    return chosen;
  }
}

async function show(chosen) {
  const body = await smaller(chosen);
  if (body.size > LARGEST_FILE) return tell("page_photo_odd");
  const answer = await fetch("/chat/pictures", { method: "POST", body, headers: { "Content-Type": "application/octet-stream" } });
  if (answer.status === 413 || answer.status === 415) tell("page_photo_odd");
  else if (answer.status === 429) tell("rate_limited");
  else if (!answer.ok) tell("page_photo_failed");
}

photo.onclick = () => file.click();
file.onchange = async () => {
  const [chosen] = file.files;
  if (!chosen) return;
  photo.disabled = true;
  photo.setAttribute("aria-busy", "true");
  try {
    await show(chosen);
  } catch {
    tell("page_photo_failed");
  }
  photo.disabled = false;
  photo.removeAttribute("aria-busy");
  file.value = "";
};
form.onsubmit = (event) => {
  event.preventDefault();
  if (!text.value.trim()) return;
  if (socket.readyState !== WebSocket.OPEN) return tell("error"); // the words stay in the box
  send({ text: text.value });
  text.value = "";
  text.style.height = "auto";
};
text.onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
};
text.oninput = () => { text.style.height = "auto"; text.style.height = `${text.scrollHeight}px`; };
connect();
