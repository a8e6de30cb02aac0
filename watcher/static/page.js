// The live page: the current status and each new event. Text is never inserted as HTML.
"use strict";

const MAX_EVENTS = 200;
const MAX_IDS = 4096; // more than a replica keeps: a reconnection may repeat so many
const models = document.getElementById("models");
const events = document.getElementById("events");
const summary = document.getElementById("summary");
const stale = document.getElementById("stale");
const shownIds = new Set();
let etag = "";
let loadTimer = 0;

function createElement(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

function timeElement(text) {
  const node = createElement("time", {datetime: text});
  const date = new Date(text);
  node.textContent = Number.isNaN(date.valueOf()) ? text : date.toLocaleString();
  return node;
}

function reasonElement(reason, message) {
  const text = [reason, message].filter(Boolean).join(": ");
  return text ? createElement("div", {class: "why"}, text) : null;
}

function versionRow(version) {
  const replicas = version.replicas;
  return createElement("tr", {},
    createElement("th", {scope: "row"}, version.version),
    createElement("td", {},
      createElement("span", {class: `state ${version.state}`}, version.state), reasonElement(version.reason, version.message)),
    createElement("td", {}, `${replicas.ready} of ${replicas.desired} ready`),
    createElement("td", {}, version.since ? timeElement(version.since) : ""));
}

function routeBar(route) {
  const weights = Object.entries(route.weights);
  const label = weights.map(([version, weight]) => `${version} ${weight} %`).join(", ");
  const extras = [
    route.sticky ? "sticky" : "",
    route.mirror ? `mirror ${route.mirror.version} ${route.mirror.percent} %` : "",
    route.failover ? `failover ${route.failover}` : "",
  ].filter(Boolean).join(", ");
  const segments = weights.map(([version, weight]) => {
    const share = createElement("span", {class: "share", title: `${version} ${weight} %`}, weight ? `${version} ${weight} %` : "");
    share.style.width = `${weight}%`; // set by script: the Content-Security-Policy allows no inline style
    return share;
  });
  return createElement("div", {class: "route"},
    createElement("code", {}, route.path), extras ? ` (${extras})` : "",
    createElement("div", {class: "bar", role: "img", "aria-label": `${route.route}: ${label}`}, ...segments));
}

function modelCard(model) {
  const head = createElement("thead", {}, createElement("tr", {},
    ...["Version", "State", "Replicas", "Since"].map((name) => createElement("th", {scope: "col"}, name))));
  return createElement("article", {class: "model", "aria-label": model.model},
    createElement("h3", {}, model.model),
    createElement("table", {}, head, createElement("tbody", {}, ...model.versions.map(versionRow))),
    ...model.routes.map(routeBar));
}

function render(status) {
  models.replaceChildren(...status.models.map(modelCard));
  const versions = status.models.flatMap((model) => model.versions);
  const failed = versions.filter((version) => version.state === "Failed").length;
  summary.textContent = `${status.models.length} models, ${versions.length} versions` + (failed ? `, ${failed} failed` : "");
  stale.hidden = status.stale_since === null;
  stale.textContent = status.stale_since === null ? "" :
    `No connection to the API server since ${new Date(status.stale_since * 1000).toLocaleTimeString()}: this status may be outdated.`;
}

async function load() {
  try {
    const response = await fetch("/status/models", {headers: etag ? {"If-None-Match": etag} : {}, cache: "no-store"});
    if (response.status === 200) {
      etag = response.headers.get("ETag") ?? "";
      render(await response.json());
    } else if (response.status !== 304) {
      throw new Error(`/status/models: status ${response.status}`);
    }
  } catch (error) {
    stale.hidden = false;
    stale.textContent = `No connection: ${error.message}`;
    etag = "";
  }
}

function scheduleLoad() {
  // several events within this time cause one request
  if (!loadTimer) {
    loadTimer = setTimeout(() => { loadTimer = 0; load(); }, 200);
  }
}

function showEvent(event) {
  if (shownIds.has(event.id)) {
    return;
  }
  shownIds.add(event.id);
  if (shownIds.size > MAX_IDS) {
    shownIds.delete(shownIds.values().next().value); // the oldest
  }
  const data = event.data;
  events.prepend(createElement("li", {},
    timeElement(event.time), " ", createElement("strong", {}, `${data.model} ${data.version}`), " ",
    data.previous ? `${data.previous} → ` : "", createElement("span", {class: `state ${data.state}`}, data.state),
    reasonElement(data.reason, data.message)));
  while (events.children.length > MAX_EVENTS) {
    events.lastElementChild.remove();
  }
}

const stream = new EventSource("/status/events?lastEventId=0");
stream.addEventListener("transition", (message) => { showEvent(JSON.parse(message.data)); scheduleLoad(); });
stream.addEventListener("open", scheduleLoad);
load();
// replicas and reasons change without an event
setInterval(load, 5000);
