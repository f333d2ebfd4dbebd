"use strict";

// The search field hides what does not hold all of its words.
for (const field of document.querySelectorAll("[data-filter]")) {
  field.addEventListener("input", () => {
    const words = field.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    for (const item of document.querySelectorAll(field.dataset.filter)) {
      const text = item.dataset.words.toLocaleLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
    }
    for (const group of document.querySelectorAll(".group")) {
      group.hidden = !group.querySelector(`${field.dataset.filter}:not([hidden])`);
    }
  });
}

// On a phone the menu scrolls: show where we are.
document.querySelector("nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

// The end of a conversation is what matters.
for (const talk of document.querySelectorAll(".talk")) talk.scrollTop = talk.scrollHeight;

// A draft is checked and drawn while it is typed. Nothing is written until "Save".
for (const form of document.querySelectorAll("form[data-check]")) {
  const problems = document.getElementById("problems");
  const preview = document.getElementById("preview");
  let timer = 0;
  let saving = false;
  let asking = false;
  let again = false;
  const check = async () => { // one at a time: the server has patients to answer
    if (asking) { again = true; return; }
    asking = true;
    again = false;
    try {
      const answer = await fetch(form.dataset.check, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      if (!answer.ok || again || saving) return;
      const found = await answer.json();
      problems.replaceChildren(...found.problems.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
      problems.hidden = found.problems.length === 0;
      if (found.id && form.elements.id?.placeholder !== found.id) form.elements.id.placeholder = found.id;
      preview.classList.toggle("stale", found.problems.length > 0); // it shows the words before the mistake
      if (found.html) preview.innerHTML = found.html; // drawn by our own server, every word escaped
    } catch { /* the network is away; "Save" will tell */ } finally {
      asking = false;
      if (again && !saving) check();
    }
  };
  form.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(check, 350); });
  // Where several languages stand in one form, the one that is being written is drawn.
  for (const part of form.querySelectorAll("[data-lang]")) {
    part.addEventListener("focusin", () => {
      if (form.elements.lang.value === part.dataset.lang) return;
      form.elements.lang.value = part.dataset.lang;
      check();
    });
  }
  let changed = "unsaved" in form.dataset;
  form.addEventListener("input", () => { changed = true; });
  form.addEventListener("submit", () => { saving = true; clearTimeout(timer); });
  addEventListener("beforeunload", (event) => { if (changed && !saving) event.preventDefault(); });
}

// Pages with a pulse ask for news, and draw themselves anew unless somebody is typing.
const pulse = document.body.dataset.pulse;
if (pulse) {
  const typing = () => [...document.querySelectorAll("[data-keep]")].some((field) => field.value !== field.defaultValue);
  const look = async () => {
    try {
      const answer = await fetch("/staff/pulse", { redirect: "error" });
      if (answer.status === 403) return location.reload();
      const news = await answer.json();
      document.title = document.title.replace(/^\(\d+\) /, "");
      if (news.unread) document.title = `(${news.unread}) ${document.title}`;
      if (news.pulse !== pulse && !typing()) location.reload();
    } catch { /* tried again in a moment */ }
  };
  setInterval(look, 5000);
}
