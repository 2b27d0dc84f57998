// What moves on a page: times in the zone of who looks, pieces that are asked for anew when something has changed, keys.
"use strict";

const root = document.documentElement.dataset.root;
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// Times

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const tick = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (root) document.cookie = `headrace_zone=${encodeURIComponent(zone)}; path=${new URL(root, location.href).pathname}; max-age=31536000; samesite=strict`;

function localize(within) {
  for (const time of all("time", within)) {
    const moment = new Date(time.dateTime);
    if (!("ago" in time.dataset)) time.textContent = ("clock" in time.dataset ? clock : exact).format(moment);
    time.title = `${exact.format(moment)} ${zone} (${time.dateTime})`;
  }
  for (const text of all("[data-tick]", within)) text.textContent = tick.format(new Date(text.dataset.tick));
}

document.addEventListener("htmx:after:swap", () => localize(document));

// Pieces that are asked for anew

const main = document.getElementById("main");
const waiting = new Set();
const late = new Set();
let isAsking = false;

// Nothing is taken from under the hands of who types; it comes when they have done.
function isTyping(piece) {
  const field = document.activeElement;
  return piece.contains(field) && field.matches("input:not([type=checkbox]):not([type=radio]), select, textarea");
}

document.addEventListener("focusout", () => {
  if (!late.size) return;
  for (const id of late) waiting.add(id);
  late.clear();
  setTimeout(refresh);
});

// A whole page, as one that says what is wrong, has no place in a piece of another.
const old = document.getElementById("old");
document.addEventListener("htmx:before:response", (event) => {
  const { status, raw } = event.detail.ctx.response;
  if (status === 200 && !raw.redirected) return;
  event.preventDefault();
  if (status >= 500) return;
  old.hidden = false;
  waiting.clear();
  hush();
});

async function refresh() {
  if (isAsking) return;
  isAsking = true;
  try {
    while (waiting.size) {
      const [id] = waiting;
      waiting.delete(id);
      const piece = document.getElementById(id);
      if (!piece) continue;
      if (isTyping(piece)) {
        late.add(id);
        continue;
      }
      const log = piece.querySelector(".log");
      const follows = log && log.scrollHeight - log.scrollTop - log.clientHeight < 40;
      const picked = new Set(all("input:checked", piece).map((box) => box.value));
      await htmx.ajax("GET", location.href, { target: `#${id}`, swap: "outerMorph", headers: { "HX-Target": id } });
      const fresh = document.getElementById(id);
      if (!fresh) continue;
      for (const box of all("input[type=checkbox]", fresh)) box.checked = picked.has(box.value);
      const grown = fresh.querySelector(".log");
      if (grown && follows) grown.scrollTop = grown.scrollHeight;
    }
  } finally {
    isAsking = false;
  }
}

function refreshAll() {
  for (const piece of all("[data-fresh]")) waiting.add(piece.id);
  refresh();
}

// What is heard

let heard = null;
let again = 0;

function listen() {
  if (heard || !main || !main.dataset.live || document.hidden) return;
  const query = (main.dataset.subjects || "").split(" ").filter(Boolean).map((subject) => `subject=${encodeURIComponent(subject)}`);
  if (!again) query.push(`after=${main.dataset.after}`);
  heard = new EventSource(`${root}live${query.length ? `?${query.join("&")}` : ""}`);
  const kinds = main.dataset.live.split(" ");
  let wasOpen = again > 0;
  heard.addEventListener("open", () => {
    document.querySelector(".lost").hidden = true;
    if (wasOpen) refreshAll();
    wasOpen = true;
    again = 0;
  });
  heard.addEventListener("change", (event) => {
    if (event.data.split(" ").some((kind) => kinds.some((known) => kind.startsWith(known)))) refreshAll();
  });
  heard.addEventListener("error", () => {
    document.querySelector(".lost").hidden = false;
    if (heard && heard.readyState === EventSource.CLOSED) {
      heard = null;
      again += 1;
      setTimeout(listen, Math.min(10000, 500 * 2 ** again));
    }
  });
}

function hush() {
  if (heard) heard.close();
  heard = null;
}

// What happened while nobody listened is asked for.
function listenAnew() {
  if (!old?.hidden) return;
  again = Math.max(again, 1);
  listen();
}

document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listenAnew()));
addEventListener("pagehide", hush);
document.addEventListener("submit", () => {
  waiting.clear();
  hush(); // what comes of it is on the page that follows
});
addEventListener("pageshow", (event) => event.persisted && listenAnew());
if (main?.dataset.every) setInterval(() => document.hidden || refreshAll(), 1000 * main.dataset.every);

// What is clicked

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.sure && !confirm(button.dataset.sure)) event.preventDefault();
  if ("keysSwitch" in button.dataset) {
    localStorage.setItem("headrace-keys", hasKeys() ? "off" : "on");
    showKeys();
  }
  if ("themeSwitch" in button.dataset) {
    const dark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("headrace-theme", dark ? "light" : "dark");
  }
});
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-pick-all]")) return;
  for (const box of all("input[name=run]", event.target.closest("table"))) box.checked = event.target.checked;
});

// Fields that belong to one choice are shown with it

function showChosen() {
  for (const choice of all("[data-chooses]")) {
    for (const part of all("[data-of]", choice.form)) part.hidden = part.dataset.of !== choice.value;
  }
}
document.addEventListener("change", (event) => event.target.matches("[data-chooses]") && showChosen());
addEventListener("pageshow", showChosen);
showChosen();

// Keys: g and the letter of a page, / for the first field

const hasKeys = () => localStorage.getItem("headrace-keys") !== "off";

function showKeys() {
  for (const button of all("[data-keys-switch]")) button.setAttribute("aria-pressed", hasKeys());
}

let went = 0;
document.addEventListener("keydown", (event) => {
  if (!hasKeys() || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  if (event.key === "/") {
    const field = document.querySelector("[data-search]");
    if (field) {
      event.preventDefault();
      field.focus();
    }
  } else if (event.key === "g") {
    went = Date.now();
  } else if (Date.now() - went < 1500) {
    const link = document.querySelector(`nav [data-key="${CSS.escape(event.key)}"]`);
    if (link) link.click();
    went = 0;
  }
});

localize(document);
showKeys();
document.querySelector("nav [aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });
for (const log of all(".log")) log.scrollTop = log.scrollHeight;
listen();
