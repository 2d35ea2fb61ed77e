// The page: events of the server become what is shown, presses become orders.

import { Camera } from "./camera.js";
import { Past, drawArena, drawBoxes, drawCurve } from "./charts.js";
import { Connection } from "./socket.js";
import { Classes, element, percent, showLesson } from "./teach.js";

const at = (id) => document.getElementById(id);
const LINKS = { connected: "board connected", connecting: "connecting to the board", lost: "board lost, connecting again" };
const SAID_EVERY = 2500; // milliseconds between two answers that a screen reader is told

let state = null, role = { controls: false, free: true, others: 0 }, open = false;
let resume = false; // the connection broke while the camera was on
let shown = [], points = [], said = "", saidAt = 0, bars = [], names = [];
const past = new Past(at("past"));

// ---- connection

const connection = new Connection(receive, showPicture, (now) => {
  open = now;
  if (!now) { resume = camera.on; classes.release(); }
  update();
});
const order = (name, more) => connection.send(name, more);
const camera = new Camera(at("video"), (blob) => connection.picture(blob));
const classes = new Classes(at("classes"),
  (name) => order("collect", { class: name, on: true }),
  (name) => order("collect", { class: name, on: false }),
  (name) => order("remove_class", { class: name }));

function receive(event) {
  switch (event.is) {
    case "state": state = event; update(); break;
    case "role":
      role = event;
      if (!role.controls) { resume = false; camera.stop(); } else if (resume) order("source", { source: "browser" });
      update();
      break;
    case "answer": answer(event); break;
    case "notice": notice(event.text, event.kind); break;
    case "activity": activity(event); break;
    case "training": points = []; at("lesson").hidden = true; break;
    case "steps": points.push(...event.points); drawCurve(at("curve"), points); break;
    case "trained": at("what").textContent = "the last training"; at("progress").value = at("progress").max; say(event.lesson.after ? `trained: ${percent(event.lesson.after.accuracy)} of the held-out samples are right` : "training ended"); break;
    case "pulled": pulled(event.files); break;
  }
}

function showPicture(blob) {
  const picture = at("picture"), url = URL.createObjectURL(blob);
  picture.onload = picture.onerror = () => URL.revokeObjectURL(url);
  picture.src = url;
}

// ---- what is shown

function update() {
  const link = !open ? "page" : state?.link ?? "connecting";
  at("link").dataset.link = link;
  at("link").textContent = open ? LINKS[link] : "page lost its server";
  at("problem").hidden = !(open && state?.link === "lost");
  if (state?.link === "lost") at("problem").textContent = state.problem;
  if (!state) return;
  const connected = open && state.link === "connected";
  at("board").textContent = state.board ? `${state.model} on ${state.board}` : "";
  const others = role.others ? `${role.others} other tab${role.others > 1 ? "s" : ""}` : "";
  at("role").textContent = role.controls ? (others && `You control; ${others} watch${role.others > 1 ? "" : "es"}`) : role.free ? "Nobody controls" : "You watch; another tab controls";
  at("take").hidden = role.controls || !open;
  const may = connected && role.controls, idle = may && !state.busy, trains = state.training !== null;
  for (const each of document.querySelectorAll("[data-control]")) each.disabled = !idle;
  for (const each of document.querySelectorAll("[data-train]")) each.disabled = !idle || !trains;
  at("stop").hidden = !state.busy; at("stop").disabled = !may;
  at("start").hidden = Boolean(state.busy); at("start").disabled = !idle || !trains;
  at("undo").disabled = !idle || !state.can_undo;
  classes.show(state.classes, idle && state.source !== "none");
  at("recording").hidden = !state.collecting;
  at("recording").textContent = `collecting ${state.collecting}`;
  sources();
  at("known").replaceChildren(...state.names.map((name) => element("option", { value: name })));
  at("course").hidden = !state.busy && !points.length;
  showLesson(at("lesson"), state.busy ? null : state.lesson);
  at("held").textContent = held(state.training);
  at("baud").textContent = state.baud ? `${(state.baud / 1e6).toFixed(2)} MBd` : "–";
  inside();
  if (!connected) past.clear();
}

function sources() {
  const host = state.host_source !== null, browser = state.source === "browser";
  at("camera").setAttribute("aria-pressed", String(browser));
  at("camera").textContent = browser ? "Camera off" : "Camera on";
  at("host").hidden = !host;
  at("host").textContent = host ? (state.source === "host" ? "Stop " : "Show ") + state.host_source.split(/[\\/]/).filter(Boolean).pop() : "";
  at("host").setAttribute("aria-pressed", String(state.source === "host"));
  at("pause").hidden = !host || state.source !== "host";
  at("pause").setAttribute("aria-pressed", String(state.holding));
  at("next").hidden = !host || state.source !== "host" || !state.holding;
  if (browser) resume = false;
  if (!browser && camera.on && !camera.starting && !resume) camera.stop();
  if (browser && role.controls && !camera.on && open) startCamera();
  at("video").hidden = !camera.on;
  at("picture").hidden = state.source === "none";
  at("empty").hidden = state.source !== "none";
  if (state.source === "none") { at("verdict").hidden = true; shown = []; drawFound(); }
}

async function startCamera() {
  if (camera.starting) return;
  camera.starting = true;
  try {
    await camera.start();
    order("source", { source: "browser" });
  } catch (error) {
    camera.stop();
    notice(error.name === "NotAllowedError" ? "the browser may not use the camera: allow it beside the address, then try again" : `no camera: ${error.message}`, "error");
    if (state.source === "browser") order("source", { source: "none" });
  } finally {
    camera.starting = false;
    update();
  }
}

function held(training) {
  if (!state.board) return "";
  if (!training) return "This network only answers: built with --train SCHEME it can be taught.";
  const count = training.class_names.length, free = training.classes - count;
  const what = count ? `It has learned ${training.class_names.join(", ")}${free > 0 ? ` and has room for ${free} more` : ""}` : "Its classes have no names";
  if (!count && !training.steps) return `It was never taught; it has room for ${training.classes} classes.`;
  const kept = training.saved ? "saved in its flash" : training.steps ? "not saved: a power loss forgets it" : "nothing new to save";
  return `${what} (${training.steps} training steps, ${kept}).`;
}

function answer(event) {
  if (event.collected) {
    classes.kept(event.collected);
    at("picture").decode().then(() => classes.showLast(event.collected.class, at("picture")), () => {}); // or another has come
  }
  if (camera.on && event.from === "browser") camera.take();
  const verdict = at("verdict");
  verdict.hidden = false;
  shown = event.boxes ?? [];
  drawFound();
  if (event.boxes) {
    const counts = new Map();
    for (const { class: name } of shown) counts.set(name, (counts.get(name) ?? 0) + 1);
    const found = [...counts].map(([name, count]) => (count > 1 ? `${count} × ${name}` : name)).join(", ");
    verdict.children[0].textContent = found || "nothing";
    verdict.children[1].textContent = "";
    showBars(shown.map((box) => box.class), shown.map(({ score }) => score), -1);
    tellAnswer(found || "nothing");
  } else if (event.answer === null) {
    const shares = Object.entries(event.shares);
    verdict.children[0].textContent = shares.length ? shares.sort((a, b) => b[1] - a[1])[0][0] : event.numbers.map(({ values }) => values.slice(0, 3).map((v) => v?.toPrecision(4)).join(" ")).join(", ");
    verdict.children[1].textContent = "";
    showBars(shares.map(([name]) => name), shares.map(([, share]) => share), -1);
  } else {
    verdict.children[0].textContent = event.answer;
    verdict.children[1].textContent = percent(event.probability);
    showBars(event.names, event.probabilities, event.index);
    past.add(event.probabilities);
    tellAnswer(event.answer);
  }
  at("fps").textContent = event.frames_per_second.toFixed(1);
  at("wire").textContent = `${Math.round(100 * event.wire_share)} %`;
  at("time").textContent = cost(event.count);
}

function drawFound() { drawBoxes(at("boxes"), shown, at("picture")); }

function cost(count) {
  if (state?.counter_unit === "instructions") return count >= 1e5 ? `${(count / 1e6).toFixed(2)} M instr.` : `${count} instr.`;
  return state?.counter_rate ? `${((1000 * count) / state.counter_rate).toFixed(1)} ms` : String(count);
}

function showBars(classNames, shares, best) {
  if (classNames.join("\n") !== names.join("\n") || bars.length !== classNames.length) {
    names = classNames;
    bars = names.map((name, index) => {
      const fill = element("div", { className: "fill" }), value = element("output"), label = element("span", { className: "name", textContent: name });
      const row = element("li", {}, label, element("div", { className: "track" }, fill), value);
      row.style.setProperty("--color", `var(--c${index % 9})`);
      return { fill, value, label, row };
    });
    at("bars").replaceChildren(...bars.map(({ row }) => row));
  }
  bars.forEach(({ fill, value, label }, index) => {
    fill.style.width = `${100 * shares[index]}%`;
    value.textContent = percent(shares[index]);
    label.classList.toggle("best", index === best);
  });
}

function tellAnswer(name) {
  const now = performance.now();
  if (name === said || now - saidAt < SAID_EVERY) return;
  said = name; saidAt = now;
  say(name);
}

function say(text) { at("say").textContent = text; }

function notice(text, kind) {
  const box = element("div", { className: `notice ${kind}` }, element("p", { textContent: text[0].toUpperCase() + text.slice(1) }));
  const close = element("button", { type: "button", textContent: "✕" });
  close.setAttribute("aria-label", "dismiss");
  close.onclick = () => box.remove();
  box.append(close);
  const all = at("notices");
  all.append(box);
  while (all.children.length > 4) all.firstChild.remove();
  setTimeout(() => box.remove(), kind === "error" ? 15000 : 6000);
}

function activity({ what, done, total, figures }) {
  at("course").hidden = false;
  at("what").textContent = figures ? `${what}: ${figures}` : what;
  at("progress").max = Math.max(total, 1);
  at("progress").value = done;
}

function pulled(files) {
  at("pulled").replaceChildren("Ready: ", ...files.map(({ name, href }) => element("a", { href, download: name, textContent: name })));
}

// ---- layers and arena

let shownLayers = "", walking = true, step = 0, moved = 0;

function inside() {
  const key = JSON.stringify(state.layers);
  if (key !== shownLayers) {
    shownLayers = key;
    const total = state.layers.reduce((sum, layer) => sum + layer.count, 0) || 1;
    const most = Math.max(1, ...state.layers.map((layer) => layer.count));
    at("layers").replaceChildren(...state.layers.map((layer) => {
      const fill = element("div", { className: "fill" });
      fill.style.width = `${(100 * layer.count) / most}%`;
      return element("li", { title: `${layer.op}, ${layer.macs} multiplications` }, element("span", { className: "name", textContent: layer.name }),
        element("div", { className: "track" }, fill), element("span", { textContent: cost(layer.count) }), element("span", { textContent: `${((100 * layer.count) / total).toFixed(1)} %` }));
    }));
    at("layers-title").textContent = `Layers: ${cost(total)} a picture`;
    at("walk").max = Math.max(state.layers.length - 1, 0);
  }
  const figures = state.statistics;
  at("arena-note").textContent = state.arena_bytes
    ? `${kb(state.arena_bytes)} for activations and scratch${figures.arena_high_water ? `, ${kb(figures.arena_high_water)} of it written so far` : ""}; stack ${kb(figures.stack_used ?? 0)} of ${kb(figures.stack_size ?? 0)}.${state.model_file ? "" : " Started with --model FILE, the page shows what lies where."}` : "";
  at("arena").hidden = at("walk-label").hidden = !state.arena;
  walkTo(step);
}

const kb = (bytes) => `${(bytes / 1024).toFixed(1)} KB`;

function walkTo(number) {
  if (!state?.layers.length) return;
  step = number % state.layers.length;
  at("walk").value = step;
  for (const [index, row] of [...at("layers").children].entries()) row.classList.toggle("now", Boolean(state.arena) && index === step);
  if (!state.arena) return;
  const here = state.arena.filter((place) => place.first <= step && step <= place.last);
  const top = Math.max(0, ...here.map((place) => place.address + place.bytes));
  at("now").textContent = `${state.layers[step].name} runs: ${here.length} things lie there, up to ${kb(top)} (a run in slow motion)`;
  drawArena(at("arena"), state.arena, state.layers.length, state.arena_bytes, step);
}

function frame(now) {
  past.draw();
  if (walking && state?.arena && state.layers.length) {
    const total = state.layers.reduce((sum, layer) => sum + layer.count, 0) || 1;
    const stay = Math.max(60, (4000 * state.layers[step].count) / total); // as long as its share of four seconds
    if (now - moved > stay) { moved = now; walkTo(step + 1); }
  }
  setTimeout(() => requestAnimationFrame(frame), 66);
}

function play(on) { walking = on; at("play").setAttribute("aria-pressed", String(on)); at("play").textContent = on ? "Pause" : "Play"; }

// ---- presses

at("take").onclick = () => order("control");
at("camera").onclick = () => {
  if (state.source === "browser" || camera.on) { camera.stop(); order("source", { source: "none" }); } else startCamera();
};
at("host").onclick = () => { camera.stop(); order("source", { source: state.source === "host" ? "none" : "host" }); };
at("pause").onclick = () => order("step", { hold: !state.holding });
at("next").onclick = () => order("step", { hold: true });
at("add").onsubmit = (event) => {
  event.preventDefault();
  order("add_class", { class: at("new-class").value });
  at("new-class").value = "";
};
at("undo").onclick = () => order("undo");
at("train").onsubmit = (event) => {
  event.preventDefault();
  const rate = at("rate").value;
  order("train", { epochs: Number(at("epochs").value), rate: rate === "auto" ? rate : Number(rate) });
};
at("stop").onclick = () => order("stop");
at("save").onclick = () => order("save");
at("restore").onclick = () => order("restore");
at("pull").onclick = () => order("pull");
at("measure").onclick = () => order("profile");
at("reset").onclick = () => { at("forget").checked = false; at("ask").returnValue = "no"; at("ask").showModal(); };
at("ask").onclose = () => { if (at("ask").returnValue === "yes") order("reset", { forget: at("forget").checked }); };
at("walk").oninput = () => { play(false); walkTo(Number(at("walk").value)); };
at("play").onclick = () => play(!walking);

const typing = (event) => event.target.closest("input, select, dialog") || event.ctrlKey || event.metaKey || event.altKey;
addEventListener("keydown", (event) => {
  if (typing(event) || event.repeat) return;
  const press = (id) => { if (!at(id).disabled && !at(id).hidden) at(id).click(); };
  const name = /^[1-9]$/.test(event.key) ? classes.names()[Number(event.key) - 1] : undefined;
  if (name !== undefined) classes.hold(name);
  else if (event.key === "u") press("undo");
  else if (event.key === "t") press("start");
  else if (event.key === "s") press("save");
  else if (event.key === "ArrowRight" && !event.target.closest("#layers")) press("next");
  else if (event.key === " " && !event.target.closest("button, a")) { event.preventDefault(); press("pause"); }
});
addEventListener("keyup", (event) => {
  if (/^[1-9]$/.test(event.key)) classes.release(classes.names()[Number(event.key) - 1]);
});
document.addEventListener("visibilitychange", () => { if (document.hidden) classes.release(); });

// ---- light and dark

const dark = matchMedia("(prefers-color-scheme: dark)");
function theme() {
  const chosen = localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = chosen;
  at("theme").setAttribute("aria-pressed", String(chosen === "dark"));
  if (points.length) drawCurve(at("curve"), points);
  walkTo(step);
}
at("theme").onclick = () => { localStorage.setItem("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark"); theme(); };
dark.addEventListener("change", theme);
addEventListener("resize", () => { drawFound(); if (points.length) drawCurve(at("curve"), points); walkTo(step); });
theme();
play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
requestAnimationFrame(frame);
