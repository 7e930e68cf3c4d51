// What the dashboard's pages do beyond HTML: live updates, local times, selection, copying, shortcuts. All of it may be missing.
(function () {
  "use strict";

  var root = document.querySelector(".fq");
  if (!root) return;
  var all = function (selector, within) { return Array.prototype.slice.call((within || document).querySelectorAll(selector)); };

  // -- Times, in the viewer's own zone

  var units = [["day", 86400], ["h", 3600], ["min", 60]];

  function ago(at) {
    var away = (Date.now() - at) / 1000, size = Math.abs(away), text = Math.floor(size) + " s";
    for (var n = 0; n < units.length; n++) {
      if (size >= 2 * units[n][1]) {
        text = Math.floor(size / units[n][1]) + " " + units[n][0] + (units[n][0] === "day" ? "s" : "");
        break;
      }
    }
    return away >= 0 ? text + " ago" : "in " + text;
  }

  var whole = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
  var forms = {
    hour: new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" }),
    day: new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit" })
  };
  var zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "";

  function localise() {
    all("time[datetime]", root).forEach(function (time) {
      var at = new Date(time.dateTime);
      time.textContent = ago(at);
      time.title = whole.format(at) + " " + zone;
    });
    all("[data-at]", root).forEach(function (mark) {
      var at = new Date(mark.dataset.at);
      mark.textContent = mark.dataset.rest ? forms.day.format(at) + ": " + mark.dataset.rest : forms[mark.dataset.form].format(at);
    });
  }

  // -- Live updates: the same page again, morphed into this one

  var interval = 1000 * Number(root.dataset.interval || 5), wait = interval, timer = null, tag = "", busy = false;
  var isLive = true;

  function stored(name) { try { return localStorage.getItem(name); } catch (error) { return null; } }
  function store(name, value) { try { localStorage.setItem(name, value); } catch (error) { /* forbidden */ } }

  function isHeld() {
    var active = document.activeElement, live = document.getElementById("fq-live");
    return document.hidden || !live || !live.hasAttribute("data-live") || document.querySelector("dialog[open]") ||
      (active && live.contains(active) && /^(INPUT|TEXTAREA|SELECT)$/.test(active.tagName) && active.type !== "checkbox") ||
      document.querySelector("#fq-live input[name=rowid]:checked, #fq-live details.fq-ask[open]") ||
      String(window.getSelection());
  }

  function show(state, text) {
    var button = document.querySelector("[data-act=live]");
    if (!button) return;
    button.hidden = !document.querySelector("#fq-live[data-live]");
    button.dataset.state = state;
    button.setAttribute("aria-pressed", String(isLive));
    button.querySelector("[data-label]").textContent = text;
  }

  function later() {
    clearTimeout(timer);
    if (isLive && !document.hidden) timer = setTimeout(update, wait);
  }

  function update() {
    if (busy || isHeld()) return later();
    busy = true;
    var headers = { "X-Flask-Queue-Live": "1" };
    if (tag) headers["If-None-Match"] = tag;
    fetch(location.href, { headers: headers, cache: "no-store", credentials: "same-origin", redirect: "error" })
      .then(function (response) {
        if (response.status === 304) return null;
        if (!response.ok) throw new Error(response.status === 401 || response.status === 403 ? "Signed out" : "Offline");
        tag = response.headers.get("ETag") || "";
        return response.text();
      })
      .then(function (text) {
        wait = interval;
        show("on", "Live");
        return text;
      })
      .catch(function (error) {
        wait = Math.min(2 * wait, 60000);
        tag = "";
        show("off", error.message === "Signed out" ? "Signed out" : "Offline");
        return null;
      })
      // A fault of the morph is no fault of the connection: it goes to the console.
      .then(function (text) { if (text !== null && !isHeld()) morph(text); })
      .finally(function () { busy = false; later(); });
  }

  function morph(text) {
    var fresh = new DOMParser().parseFromString(text, "text/html"), live = document.getElementById("fq-live");
    var next = fresh.getElementById("fq-live");
    if (!next) return;
    if (next.hasAttribute("data-hold") && holdsNew(live, next)) return;
    var current = live.querySelector(".fq-current");
    Idiomorph.morph(live, next, {
      morphStyle: "outerHTML", ignoreActiveValue: true,
      callbacks: {
        // What somebody opened stays open.
        beforeAttributeUpdated: function (name, node) { return !(name === "open" && node.tagName === "DETAILS"); }
      }
    });
    if (current) current.classList.add("fq-current");
    dress();
  }

  // A list does not jump under the reader: where there are newer rows, a line offers them.
  function holdsNew(live, next) {
    var mine = live.querySelector("[data-rows] > *"), theirs = next.querySelector("[data-rows] > *");
    var offer = live.querySelector("[data-offer]");
    if (!mine || !theirs || mine.id === theirs.id) return false;
    if (offer) offer.hidden = false;
    return true;
  }

  // -- A search that is not over goes on until the page is full

  function searchOn() {
    var link = document.querySelector("[data-more]");
    if (!link) return;
    fetch(link.href, { headers: { "X-Flask-Queue-Live": "1" }, cache: "no-store", credentials: "same-origin", redirect: "error" })
      .then(function (response) { if (!response.ok) throw new Error(response.status); return response.text(); })
      .then(function (text) {
        var fresh = new DOMParser().parseFromString(text, "text/html"), rows = document.querySelector("[data-rows]");
        all("[data-rows] > *", fresh).forEach(function (row) {
          if (!document.getElementById(row.id)) rows.appendChild(document.adoptNode(row));
        });
        ["fq-progress", "fq-pager"].forEach(function (id) {
          var theirs = fresh.getElementById(id);
          if (theirs) document.getElementById(id).replaceWith(document.adoptNode(theirs));
        });
        if (!rows.children.length && !document.querySelector("[data-more]")) {
          document.getElementById("fq-live").replaceWith(document.adoptNode(fresh.getElementById("fq-live")));
        }
        dress();
        if (rows.children.length < 50) searchOn();
      })
      .catch(function () { show("off", "Offline"); }); // the link is still there to be pressed
  }

  // -- Selection

  function count() {
    all("form[data-selection]").forEach(function (form) {
      var boxes = all("input[name=rowid]", form), chosen = boxes.filter(function (box) { return box.checked; });
      all("[data-chosen]", form).forEach(function (place) { place.textContent = chosen.length; });
      all("[data-needs-choice]", form).forEach(function (button) { button.disabled = !chosen.length || button.hasAttribute("data-never"); });
      var every = form.querySelector("[data-act=all]");
      if (every) { every.checked = boxes.length > 0 && chosen.length === boxes.length; every.indeterminate = chosen.length > 0 && !every.checked; }
    });
  }

  // -- What a page gets when it comes, and after each update

  function dress() {
    localise();
    count();
    all("[data-copy]", root).forEach(function (button) { button.hidden = !navigator.clipboard; });
    all("[data-script]", root).forEach(function (part) { part.hidden = false; });
  }

  function themes(step) {
    var names = ["auto", "light", "dark"], name = document.documentElement.dataset.fqTheme || "auto";
    if (step) {
      name = names[(names.indexOf(name) + 1) % 3];
      store("flask-queue-theme", name);
      if (name === "auto") delete document.documentElement.dataset.fqTheme;
      else document.documentElement.dataset.fqTheme = name;
    }
    var label = document.querySelector("[data-act=theme] [data-label]");
    if (label) label.textContent = name.charAt(0).toUpperCase() + name.slice(1);
  }

  function toggleLive() {
    isLive = !isLive;
    store("flask-queue-live", isLive ? "on" : "off");
    show(isLive ? "on" : "paused", isLive ? "Live" : "Paused");
    if (isLive) { wait = interval; update(); } else clearTimeout(timer);
  }

  var acts = {
    live: toggleLive,
    theme: function () { themes(true); },
    keys: function () { document.getElementById("fq-keys").showModal(); },
    reload: function () { location.reload(); }
  };

  document.addEventListener("click", function (event) {
    var copy = event.target.closest("[data-copy]"), act = event.target.closest("button[data-act]");
    if (copy) {
      navigator.clipboard.writeText(copy.dataset.copy).then(function () {
        var label = copy.querySelector("[data-label]");
        label.textContent = "Copied";
        setTimeout(function () { label.textContent = "Copy"; }, 1500);
      });
    }
    if (act && acts[act.dataset.act]) acts[act.dataset.act]();
    // A question closes when something else is pressed.
    all("details.fq-ask[open]").forEach(function (ask) { if (!ask.contains(event.target)) ask.open = false; });
  });

  document.addEventListener("change", function (event) {
    var form = event.target.form;
    if (event.target.dataset.act === "all" && form) {
      all("input[name=rowid]", form).forEach(function (box) { box.checked = event.target.checked; });
    }
    if (form && form.hasAttribute("data-selection")) count();
    if (form && event.target.hasAttribute("data-submits")) form.requestSubmit();
  });

  // A button is pressed once.
  document.addEventListener("submit", function (event) {
    if (event.target.method !== "post") return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "1";
  });
  window.addEventListener("pageshow", function () {
    all("form[data-sent]").forEach(function (form) { delete form.dataset.sent; });
  });

  // -- Shortcuts

  var prefix = "", places = { o: 0, j: 1, f: 2, q: 3, w: 4 };

  function move(step) {
    var rows = all("[data-rows] > *"), at = rows.findIndex(function (row) { return row.classList.contains("fq-current"); });
    if (!rows.length) return;
    var next = rows[Math.max(0, Math.min(rows.length - 1, at + step))];
    rows.forEach(function (row) { row.classList.toggle("fq-current", row === next); });
    next.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (document.querySelector("dialog[open]")) return;
    var row = document.querySelector(".fq-current"), key = event.key, tabs = all(".fq-tabs a");
    if (prefix === "g" && key in places && tabs[places[key]]) location.href = tabs[places[key]].href;
    else if (key === "?") acts.keys();
    else if (key === "l") toggleLive();
    else if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (key === "Enter" && row && event.target === document.body) { var link = row.querySelector("a"); if (link) link.click(); }
    else if (key === "x" && row) { var box = row.querySelector("input[name=rowid]"); if (box) box.click(); }
    else if (key === "/") {
      var search = document.querySelector("input[type=search]");
      if (search) search.focus(); else if (tabs[1]) location.href = tabs[1].href;
      event.preventDefault();
    }
    prefix = key === "g" ? "g" : "";
  });

  // -- Start

  var tools = document.querySelector(".fq-tools");
  if (tools) tools.hidden = false;
  isLive = stored("flask-queue-live") !== "off";
  show(isLive ? "on" : "paused", isLive ? "Live" : "Paused");
  themes(false);
  dress();
  setInterval(function () { if (!document.hidden) localise(); }, 10000);
  document.addEventListener("visibilitychange", function () { if (document.hidden) clearTimeout(timer); else { wait = interval; if (isLive) update(); } });
  later();
  // A long action goes on by itself, step after step.
  searchOn();
  var next = document.querySelector("form[data-goes-on]");
  if (next) next.requestSubmit();
})();
