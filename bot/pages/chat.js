"use strict";
// The chat page: one WebSocket, messages drawn as text (never as HTML), buttons that send their action back.
const log = document.getElementById("log");
const form = document.getElementById("form");
const text = document.getElementById("text");
const state = document.getElementById("state");
const WORDS = {
  en: { online: "here day and night", offline: "connection lost, trying again…", type: "Type your question" },
  ja: { online: "24時間いつでも", offline: "接続が切れました。つなぎ直しています…", type: "質問を入力" },
  ko: { online: "24시간 언제든지", offline: "연결이 끊겼어요. 다시 연결하는 중…", type: "질문을 입력하세요" },
  zh: { online: "24 小时都在", offline: "连接已断开，正在重试…", type: "请输入问题" },
};
const words = WORDS[(navigator.language || "en").slice(0, 2)] || WORDS.en;
document.documentElement.lang = navigator.language || "en";
text.placeholder = words.type;
let socket, wait = 500;

function connect() {
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/chat/ws`);
  socket.onopen = () => { log.replaceChildren(); state.textContent = words.online; wait = 500; };
  socket.onmessage = (event) => draw(JSON.parse(event.data));
  socket.onclose = () => { state.textContent = words.offline; setTimeout(connect, wait); wait = Math.min(wait * 2, 10000); };
}

function send(frame) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
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
  row.append(element("div", "bubble", message.typing ? "•••" : message.text));
  if (message.buttons?.length || message.picker) row.append(choices(message));
  if (message.at) row.append(element("div", "time", new Date(message.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })));
  log.append(row);
  log.scrollTop = log.scrollHeight;
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

form.onsubmit = (event) => {
  event.preventDefault();
  if (!text.value.trim()) return;
  send({ text: text.value });
  text.value = "";
  text.style.height = "auto";
};
text.onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
};
text.oninput = () => { text.style.height = "auto"; text.style.height = `${text.scrollHeight}px`; };
connect();
