// The live page: the status as it is, and each event as it comes. Text is only ever set as text.
"use strict";

const MOST_EVENTS = 200;
const models = document.getElementById("models");
const events = document.getElementById("events");
const summary = document.getElementById("summary");
const stale = document.getElementById("stale");
const shown = new Set();
let etag = "";
let waiting = 0;

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function moment(text) {
  const made = element("time", {datetime: text});
  const at = new Date(text);
  made.textContent = Number.isNaN(at.valueOf()) ? text : at.toLocaleString();
  return made;
}

function why(reason, message) {
  const text = [reason, message].filter(Boolean).join(": ");
  return text ? element("div", {class: "why"}, text) : null;
}

function row(version) {
  const replicas = version.replicas;
  return element("tr", {},
    element("th", {scope: "row"}, version.version),
    element("td", {},
      element("span", {class: `state ${version.state}`}, version.state), why(version.reason, version.message)),
    element("td", {}, `${replicas.ready} of ${replicas.desired} ready`),
    element("td", {}, version.since ? moment(version.since) : ""));
}

function bar(route) {
  const shares = Object.entries(route.weights);
  const spoken = shares.map(([version, weight]) => `${version} ${weight} %`).join(", ");
  const extras = [
    route.sticky ? "sticky" : "",
    route.mirror ? `mirror ${route.mirror.version} ${route.mirror.percent} %` : "",
    route.failover ? `failover ${route.failover}` : "",
  ].filter(Boolean).join(", ");
  const drawn = shares.map(([version, weight]) => {
    const share = element("span", {class: "share", title: `${version} ${weight} %`}, weight ? `${version} ${weight} %` : "");
    share.style.width = `${weight}%`; // set by script: the policy allows no inline style
    return share;
  });
  return element("div", {class: "route"},
    element("code", {}, route.path), extras ? ` (${extras})` : "",
    element("div", {class: "bar", role: "img", "aria-label": `${route.route}: ${spoken}`}, ...drawn));
}

function card(model) {
  const head = element("thead", {}, element("tr", {},
    ...["Version", "State", "Replicas", "Since"].map((name) => element("th", {scope: "col"}, name))));
  return element("article", {class: "model", "aria-label": model.model},
    element("h3", {}, model.model),
    element("table", {}, head, element("tbody", {}, ...model.versions.map(row))),
    ...model.routes.map(bar));
}

function draw(status) {
  models.replaceChildren(...status.models.map(card));
  const versions = status.models.flatMap((model) => model.versions);
  const failed = versions.filter((version) => version.state === "Failed").length;
  summary.textContent = `${status.models.length} models, ${versions.length} versions` + (failed ? `, ${failed} failed` : "");
  stale.hidden = status.stale_since === null;
  stale.textContent = status.stale_since === null ? "" :
    `Not heard of the cluster since ${new Date(status.stale_since * 1000).toLocaleTimeString()}: this may be old.`;
}

async function load() {
  try {
    const answer = await fetch("/status/models", {headers: etag ? {"If-None-Match": etag} : {}, cache: "no-store"});
    if (answer.status === 200) {
      etag = answer.headers.get("ETag") ?? "";
      draw(await answer.json());
    } else if (answer.status !== 304) {
      throw new Error(`the status answers ${answer.status}`);
    }
  } catch (error) {
    stale.hidden = false;
    stale.textContent = `No connection: ${error.message}`;
    etag = "";
  }
}

function soon() {
  // many events at once are one look
  if (!waiting) {
    waiting = setTimeout(() => { waiting = 0; load(); }, 200);
  }
}

function tell(event) {
  if (shown.has(event.id)) {
    return;
  }
  shown.add(event.id);
  const data = event.data;
  events.prepend(element("li", {},
    moment(event.time), " ", element("strong", {}, `${data.model} ${data.version}`), " ",
    data.previous ? `${data.previous} → ` : "", element("span", {class: `state ${data.state}`}, data.state),
    why(data.reason, data.message)));
  while (events.children.length > MOST_EVENTS) {
    events.lastElementChild.remove();
  }
}

const stream = new EventSource("/status/events?lastEventId=0");
stream.addEventListener("transition", (message) => { tell(JSON.parse(message.data)); soon(); });
stream.addEventListener("open", soon);
load();
// replicas and reasons change without an event
setInterval(load, 5000);
