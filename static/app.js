// Carrel's script. Every page works without it; it adds streaming, keys, light between a sentence and its source,
// and uploads with progress. HTML comes from the server's own fragments only, everything else is set as text.
(() => {
  "use strict";

  const LABELS = ["public", "internal", "confidential", "secret"];
  const narrow = matchMedia("(max-width: 56em)");
  const one = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  /** The first element of a fragment that the server rendered; its scripts, if it had any, stay dead. */
  function fragment(html, selector) {
    const body = new DOMParser().parseFromString(html, "text/html").body;
    return selector ? one(selector, body) : body.firstElementChild;
  }

  /** Shows what only works with this script and hides what is only for readers without it. */
  function prepare(root) {
    all("[data-script]", root).forEach((element) => (element.hidden = false));
    all("[data-without-script]", root).forEach((element) => (element.hidden = true));
    if (narrow.matches) {
      all(".sources details", root).forEach((drawer) => (drawer.open = false));
    }
  }

  const announcer = make("p", { className: "sr" });
  announcer.setAttribute("role", "status");
  const announce = (text) => (announcer.textContent = text);

  /** The banner shows the highest label that is on screen. */
  function raiseBanner() {
    const ranks = all("main [data-label]").map((element) => LABELS.indexOf(element.dataset.label));
    const highest = LABELS[Math.max(-1, ...ranks)];
    for (const banner of all("[data-banner]")) {
      banner.hidden = !highest;
      banner.dataset.label = highest || "";
      one("b", banner).textContent = highest ? banner.dataset.words.split("|")[LABELS.indexOf(highest)] : "";
    }
  }

  // ---- answers -----------------------------------------------------------------------------------------------

  /** Text so far as paragraphs and lists, its [1] as links to the sources beside it. */
  function draw(live, text, answer) {
    const blocks = [];
    let list = null;
    for (const line of text.replaceAll("**", "").split("\n")) {
      const item = line.match(/^\s*(?:[-*•]|\d+[.)])\s+(.*)$/);
      if (item) {
        if (!list) blocks.push((list = make("ul")));
        list.append(make("li", {}, ...withCitations(item[1], answer)));
      } else if (line.trim()) {
        list = null;
        blocks.push(make("p", {}, ...withCitations(line, answer)));
      }
    }
    live.replaceChildren(...blocks);
  }

  function withCitations(line, answer) {
    return line.split(/\s*\[(\d+(?:\s*,\s*\d+)*)\]/).flatMap((piece, index) => {
      if (index % 2 === 0) return [piece];
      return piece.split(",").map((number) => {
        const link = one(`[id="s${answer}-${number.trim()}"] a[data-cite]`);
        const mark = make(link ? "a" : "span", { className: "cite", textContent: number.trim() });
        if (link) mark.href = link.href;
        return mark;
      });
    });
  }

  /** What a reasoning model thinks before it answers, folded away; it goes when the answer is complete. */
  function thinking() {
    const drawer = make("details", { className: "thinking" }, make("summary", { textContent: "Thinking" }), make("p"));
    drawer.dataset.thinking = "";
    return drawer;
  }

  function follow(article) {
    const answer = article.dataset.answer;
    const began = performance.now();
    const source = new EventSource(article.dataset.stream);
    let text = "";
    let drawing = false;
    let complete = false;

    const clock = setInterval(() => {
      const place = one("[data-clock]", article);
      if (place) place.textContent = `${Math.round((performance.now() - began) / 1000)} s`;
    }, 1000);
    const say = (words) => {
      const place = one("[data-status]", article);
      if (place && place.textContent !== words) place.textContent = words;
    };
    const finish = () => {
      clearInterval(clock);
      source.close();
    };
    const replace = (old, html) => {
      const fresh = fragment(html);
      if (!old || !fresh) return old;
      old.replaceWith(fresh);
      prepare(fresh);
      raiseBanner();
      return fresh;
    };

    // The server tells an answer from its beginning to whoever connects, so a second connection starts over.
    source.addEventListener("open", () => {
      text = "";
      one("[data-thinking]", article)?.remove();
    });
    source.addEventListener("status", (event) => say(JSON.parse(event.data).text));
    source.addEventListener("sources", (event) => {
      replace(document.getElementById(`sources-${answer}`), event.data);
    });
    source.addEventListener("thinking", (event) => {
      const live = one("[data-live]", article);
      if (!one("[data-thinking]", article)) live.before(thinking());
      one("[data-thinking] p", article).append(JSON.parse(event.data).delta);
    });
    source.addEventListener("text", (event) => {
      text += JSON.parse(event.data).delta;
      if (drawing || complete) return;
      drawing = true;
      requestAnimationFrame(() => {
        drawing = false;
        if (!complete) draw(one("[data-live]", article), text, answer);
      });
    });
    source.addEventListener("again", (event) => {
      text = "";
      one("[data-thinking]", article)?.remove();
      one("[data-live]", article).replaceChildren();
      say(`the first answer was not sure · ${JSON.parse(event.data).model} takes over`);
    });
    source.addEventListener("answer", (event) => {
      complete = true;
      article = replace(article, event.data);
      announce("The answer is complete.");
    });
    source.addEventListener("end", () => {
      finish();
      // A comparison shows its figures when both answers are complete.
      const compared = article.closest("[data-compare]") && !one("[data-stream]");
      if (!complete || compared) location.reload();
    });
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return say("connection lost · trying again");
      finish();
      say("connection lost · reload the page to see the answer");
    });
    article.scrollIntoView({ block: "nearest" });
  }

  /** Lights a sentence together with the sources that it cites, whichever of them is pointed at. */
  function light(target) {
    all(".lit").forEach((element) => element.classList.remove("lit"));
    const sentence = target.closest?.(".s[data-cites]");
    const source = target.closest?.(".source");
    const row = (sentence || source)?.closest(".turn-row");
    if (!row) return;
    const cited = (element) => element.dataset.cites.split(" ").filter(Boolean);
    const only = target.closest(".cite")?.dataset.n;
    const numbers = source ? [source.dataset.n] : only ? [only] : cited(sentence);
    const sentences = source ? all(".s[data-cites]", row).filter((other) => cited(other).includes(numbers[0])) : [sentence];
    const sources = all(".source", row).filter((other) => numbers.includes(other.dataset.n));
    if (!numbers.length) return;
    [...sentences, ...sources].forEach((element) => element.classList.add("lit"));
    const shelf = one(".sources", row);
    if (source || !sources.length || shelf.scrollHeight <= shelf.clientHeight) return;
    const above = sources[0].offsetTop - shelf.scrollTop;
    const below = above + sources[0].offsetHeight - shelf.clientHeight;
    if (above < 0 || below > 0) shelf.scrollBy({ top: above < 0 ? above - 8 : below + 8 });
  }

  async function copy(button) {
    const row = button.closest(".turn-row");
    const clean = (element) => element.textContent.replace(/\s+/g, " ").trim();
    const answer = all(".prose p, .prose li", row).map((block) => {
      const plain = block.cloneNode(true);
      all(".cite", plain).forEach((mark) => (mark.textContent = ` [${mark.textContent}]`));
      // What the check found goes along: a sentence that nothing supports must not look proven where it is pasted.
      all(".s-word", plain).forEach((word) => (word.textContent = ` (${clean(word)})`));
      all(".sr", plain).forEach((element) => element.closest(".s") || element.remove());
      return (block.tagName === "LI" ? "- " : "") + clean(plain);
    });
    const sources = all(".source", row).map((source) => {
      const link = one("a", source);
      return `[${source.dataset.n}] ${clean(link)}, ${all(".place > *", source).map(clean).join(", ")}\n    ${link.href}`;
    });
    const text = [clean(one("h2", row)), answer.join("\n\n"), "Sources\n" + sources.join("\n"), clean(one(".facts", row))].join("\n\n");
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Browsers keep the clipboard from pages without TLS; a selected field can still be copied.
      const field = document.body.appendChild(make("textarea", { value: text, className: "sr" }));
      field.select();
      document.execCommand("copy");
      field.remove();
      button.focus();
    }
    const said = one("[data-said]", button);
    const before = said.textContent;
    said.textContent = "Copied";
    announce("Copied");
    setTimeout(() => (said.textContent = before), 2000);
  }

  // ---- uploads and jobs --------------------------------------------------------------------------------------

  const inWork = (root) => all("[data-job=waiting], [data-job=running]", root).length > 0;

  /** Renews the list of jobs while any is in work, then loads the page with what came of them. */
  function watch(address) {
    setTimeout(async () => {
      try {
        const answer = await fetch(address, { headers: { Accept: "text/html" } });
        const fresh = answer.ok && fragment(await answer.text(), "#jobs");
        const box = document.getElementById("jobs");
        if (fresh && !box.contains(document.activeElement)) box.replaceWith(fresh);
      } catch {
        // The next round tries again.
      }
      const typing = document.activeElement?.matches("input, select, textarea");
      if (uploading || typing || inWork(document.getElementById("jobs"))) watch(address);
      else if (!one("[data-files] .job-failed")) location.reload();
    }, 1500);
  }

  let uploading = false;

  /** Files go in requests of this many files or bytes: large enough to be fast, small enough to show how far it is. */
  const GROUP = { files: 32, bytes: 8e6 };
  /** Lines of files that were not taken in; the batch has all of them. */
  const MOST_LINES = 100;
  const SIDECAR = ".carrel.json";

  const count = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
  const bytes = (size) => (size < 1e6 ? `${Math.ceil(size / 1e3)} kB` : `${(size / 1e6).toFixed(size < 1e7 ? 1 : 0)} MB`);

  /** What systems leave in folders for themselves. */
  const passedOver = (path) =>
    path.includes("/") && path.split("/").some((part) => /^(\.|~\$)|^(Thumbs\.db|desktop\.ini|__MACOSX)$/.test(part));

  /** All files of what was dropped, folders opened, with their paths. */
  async function dropped(transfer) {
    const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
    const found = [];
    const open = async (entry) => {
      if (entry.isFile) {
        const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
        return found.push({ file, path: entry.fullPath.replace(/^\//, "") });
      }
      const reader = entry.createReader();
      // A reader gives some entries at a time, and none at the end.
      for (;;) {
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (!some.length) return;
        for (const inner of some) await open(inner);
      }
    };
    for (const entry of entries) await open(entry);
    return found;
  }

  /** Files in requests; a sidecar file stands before its own file, in the same request. */
  function groups(files) {
    const sidecars = new Map(files.filter(({ path }) => path.endsWith(SIDECAR)).map((item) => [item.path, item]));
    const units = files
      .filter(({ path }) => !path.endsWith(SIDECAR))
      .map((item) => {
        const beside = sidecars.get(item.path + SIDECAR);
        sidecars.delete(item.path + SIDECAR);
        return beside ? [beside, item] : [item];
      });
    units.push(...[...sidecars.values()].map((item) => [item]));
    const made = [];
    let group = null;
    let size = 0;
    for (const unit of units) {
      const more = unit.reduce((sum, { file }) => sum + file.size, 0);
      if (!group || group.length + unit.length > GROUP.files || size + more > GROUP.bytes) {
        made.push((group = []));
        size = 0;
      }
      group.push(...unit);
      size += more;
    }
    return made;
  }

  function send(form, group, fields, progress) {
    return new Promise((resolve) => {
      const body = new FormData();
      body.append("csrf", form.elements.csrf.value);
      body.append("label", form.elements.label.value);
      Object.entries(fields).forEach(([name, value]) => value && body.append(name, value));
      group.forEach(({ file, path }) => body.append("files", file, path));
      const request = new XMLHttpRequest();
      request.open("POST", form.action);
      request.setRequestHeader("Accept", "application/json");
      request.upload.addEventListener("progress", (event) => progress(event.loaded));
      request.addEventListener("loadend", () => {
        let answer = null;
        try {
          answer = JSON.parse(request.responseText);
        } catch {
          // Said below.
        }
        if (request.status === 200 && answer) return resolve(answer);
        const refused = `the appliance refused it (${request.status})`;
        const broken = "the connection broke; send it again";
        resolve({ error: answer?.error?.message || (request.status === 0 ? broken : refused) });
      });
      request.send(body);
    });
  }

  /** A line for a file that is being sent. */
  function fileLine(path) {
    const bar = make("progress", { max: 100, value: 0 });
    bar.setAttribute("aria-label", path);
    const state = make("span", { textContent: "waiting" });
    const words = make("p", { className: "job-line" }, bar, state);
    const line = make("li", { className: "job" });
    line.append(make("div", { className: "job-body" }, make("p", { className: "job-name", textContent: path }), words));
    return {
      line,
      sent(percent) {
        bar.value = percent;
        state.textContent = percent < 100 ? `sending, ${percent} %` : "checking";
      },
      end(words, failed) {
        bar.remove();
        state.textContent = words;
        line.classList.add(failed ? "job-failed" : "job-done");
      },
    };
  }

  const said = {
    queued: () => "received",
    unchanged: () => "unchanged",
    known: (file) => (file.known_as ? `known as ${file.known_as}` : "known under another name"),
    failed: (file) => file.reason,
  };

  /** What came of an upload so far, in one line. */
  function tally(sums) {
    return [
      sums.queued && `${sums.queued.toLocaleString("en")} queued`,
      sums.unchanged && `${sums.unchanged.toLocaleString("en")} unchanged`,
      sums.known && `${sums.known.toLocaleString("en")} known under another name`,
      sums.failed && `${sums.failed.toLocaleString("en")} not taken in`,
    ].filter(Boolean);
  }

  async function upload(form, files) {
    uploading = true;
    const list = one("[data-files]", form);
    const box = one("[data-sending]", form);
    const [all_bar, all_words, all_sums] = [make("progress", { max: 1000 }), make("span"), make("span", { className: "quiet" })];
    all_bar.setAttribute("aria-label", "All files");
    box.replaceChildren(make("p", {}, all_words, all_sums), all_bar);
    box.hidden = false;
    list.replaceChildren();
    const jobs = document.getElementById("jobs");
    if (jobs) watch(jobs.dataset.poll);

    const total = files.reduce((sum, { file }) => sum + file.size, 0) || 1;
    const folder = files[0].path.includes("/") && files[0].path.split("/")[0];
    const together = folder && files.every(({ path }) => path.startsWith(`${folder}/`));
    const title = files.length > 1 ? `${together ? `${folder}, ` : ""}${count(files.length, "file", "files")}` : "";
    const sums = { queued: 0, unchanged: 0, known: 0, failed: 0 };
    let [batch, before, failures] = ["", 0, 0];

    const show = (loaded, finished) => {
      all_bar.value = (1000 * Math.min(total, before + loaded)) / total;
      const percent = Math.floor((100 * Math.min(total, before + loaded)) / total);
      all_words.textContent = finished
        ? `${count(files.length, "file", "files")}: ${tally(sums).join(" · ")}`
        : `Sending ${count(files.length, "file", "files")}, ${bytes(total)} · ${percent} %`;
      all_sums.textContent = finished ? "" : tally(sums).join(" · ");
    };
    show(0);
    for (const group of groups(files)) {
      const lines = new Map(group.map(({ path }) => [path, fileLine(path)]));
      const seen = group.filter(({ path }) => !path.endsWith(SIDECAR) || group.length === 1);
      list.prepend(...seen.map(({ path }) => lines.get(path).line));
      const answer = await send(form, group, batch ? { batch } : { title }, (loaded) => {
        show(loaded);
        let rest = loaded;
        for (const { file, path } of group) {
          lines.get(path).sent(file.size ? Math.min(100, Math.floor((100 * Math.max(0, rest)) / file.size)) : 100);
          rest -= file.size;
        }
      });
      before += group.reduce((sum, { file }) => sum + file.size, 0);
      batch = answer.batch || batch;
      const told = answer.files || seen.map(({ path }) => ({ source: path, state: "failed", reason: answer.error }));
      const unspoken = new Set(lines.keys());
      for (const file of told) {
        sums[file.state] += 1;
        const failed = file.state === "failed";
        const line = lines.get(file.source) || fileLine(file.source);
        unspoken.delete(file.source);
        line.end(said[file.state](file), failed);
        if (failed && failures < MOST_LINES) list.append(line.line);
        else if (failed) line.line.remove();
        else setTimeout(() => line.line.remove(), file.state === "known" ? 6000 : 1500);
        failures += failed;
      }
      unspoken.forEach((path) => lines.get(path).line.remove());
      show(0);
    }
    show(0, true);
    if (failures > MOST_LINES) list.append(make("li", { className: "job", textContent: `and ${failures - MOST_LINES} more` }));
    if (batch) all_sums.replaceChildren(make("a", { href: `/batches/${batch}`, textContent: "All files of this upload" }));
    all_bar.remove();
    announce(all_words.textContent);
    uploading = false;
  }

  function readyUpload(form) {
    const { files: field } = form.elements;
    const folder = document.getElementById("folder");
    const box = one("[data-chosen-files]", form);
    let chosen = [];
    form.noValidate = true;
    form.classList.add("scripted");

    const show = () => {
      box.hidden = !chosen.length;
      const size = chosen.reduce((sum, { file }) => sum + file.size, 0);
      one("[data-chosen-sum]", box).textContent = `${count(chosen.length, "file", "files")}, ${bytes(size)}`;
      const names = chosen.slice(0, 3).map(({ path }) => path);
      one("[data-chosen-names]", box).textContent = names.join(" · ") + (chosen.length > 3 ? " …" : "");
    };
    // What is chosen again replaces what was chosen before under the same path.
    const add = (files) => {
      const wanted = files.filter(({ path }) => !passedOver(path));
      const paths = new Set(wanted.map(({ path }) => path));
      chosen = [...chosen.filter(({ path }) => !paths.has(path)), ...wanted];
      show();
      if (chosen.length) one(".upload-line button", form).focus();
    };
    const clear = () => {
      chosen = [];
      field.value = folder.value = "";
      show();
    };
    field.addEventListener("change", () => {
      add([...field.files].map((file) => ({ file, path: file.name })));
      field.value = "";
    });
    folder.addEventListener("change", () => {
      add([...folder.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })));
      folder.value = "";
    });
    one("[data-chosen-clear]", box).addEventListener("click", clear);

    const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
    const over = (yes) => document.body.classList.toggle("body-over", yes);
    document.addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      over(true);
    });
    document.addEventListener("dragleave", (event) => !event.relatedTarget && over(false));
    document.addEventListener("drop", async (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      over(false);
      // The label is chosen by a person, so a drop only adds to what is chosen, and the button still decides.
      try {
        add(await dropped(event.dataTransfer));
      } catch {
        announce("What was dropped could not be opened.");
      }
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (uploading) return;
      if (!chosen.length) return field.click();
      const files = chosen;
      clear();
      await upload(form, files);
    });
  }

  // ---- pages of a document as they look ----------------------------------------------------------------------

  const ZOOMS = [50, 75, 100, 150, 200];

  /** The page that was turned to: near the end of what there is, it cannot come up to where pages begin. */
  let turned = null;
  /** Whether the person has touched anything since: then it is they who scroll, and not pictures that come. */
  let byHand = false;

  /** The page turned to, else the one that stands where pages begin: below all that stays at the top of the window. */
  function leafInView() {
    const line = (parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0) + 8;
    const leaves = all("[data-leaf]");
    return turned || leaves.findLast((leaf) => leaf.getBoundingClientRect().top <= line) || leaves[0];
  }

  function turnTo(leaf) {
    turned = leaf;
    leaf.scrollIntoView({ block: "start" });
    showHere();
  }

  /** The address of a page, as the field for its number asks for it. */
  function addressOf(page) {
    const form = one("[data-leaf-here]").form;
    const address = new URL(form.action);
    address.search = new URLSearchParams(new FormData(form));
    address.searchParams.set("page", page);
    address.hash = `page-${page}`;
    return address;
  }

  /** Gives a link its address; at an end it has none, and keeps the focus. */
  function lead(link, address) {
    link.tabIndex = 0;
    const attributes = { href: address, role: address ? null : "link", "aria-disabled": address ? null : "true" };
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null) link.removeAttribute(name);
      else link.setAttribute(name, value);
    }
  }

  /** Says which page is in view, and where the ways lead from it. */
  function showHere() {
    const here = one("[data-leaf-here]");
    const page = Number(leafInView().dataset.leaf);
    if (document.activeElement !== here) here.value = page;
    for (const link of all("[data-leaf-step]")) {
      const next = page + Number(link.dataset.leafStep);
      lead(link, next < 1 || next > Number(here.max) ? null : addressOf(next));
    }
    const at = ZOOMS.indexOf(Number(one("[data-viewer]").dataset.zoom));
    for (const link of all("[data-zoom-step]")) {
      const next = ZOOMS[at + Number(link.dataset.zoomStep)];
      lead(link, next ? withZoom(addressOf(page), next) : null);
    }
  }

  function withZoom(address, zoom) {
    const zoomed = new URL(address, location);
    zoomed.searchParams.set("zoom", zoom);
    return zoomed;
  }

  /** Goes on by a page: within this page of ours, or to the one that has it. */
  function turn(by) {
    byHand = false;
    if (!one("[data-viewer]")) return;
    const page = Number(leafInView().dataset.leaf) + by;
    const most = Number(one("[data-leaf-here]").max);
    if (page < 1 || page > most) return;
    const leaf = document.getElementById(`page-${page}`);
    if (!leaf) return location.assign(addressOf(page));
    turnTo(leaf);
    announce(`Page ${page} of ${most}`);
  }

  /** Larger or smaller pages, without a new page of ours; the browser fetches wider pictures where it needs them. All
      that leads to more pages keeps it. */
  function zoom(by) {
    byHand = false;
    const viewer = one("[data-viewer]");
    const now = viewer && Number(viewer.dataset.zoom);
    const next = viewer && ZOOMS[ZOOMS.indexOf(now) + by];
    if (!next) return;
    const leaf = leafInView();
    viewer.classList.replace(`zoom-${now}`, `zoom-${next}`);
    viewer.dataset.zoom = next;
    one("[data-zoom-now]").textContent = `${next} %`;
    all("[data-leaf-picture]").forEach((picture) => (picture.sizes = `(max-width: 64em) ${next}vw, ${(next * 56) / 100}rem`));
    one("[data-leaf-here]").form.elements.zoom.value = next;
    all(".viewer a[href], .citation-steps a[href], .pager a[href]").forEach((link) => (link.href = withZoom(link.href, next)));
    history.replaceState(history.state, "", withZoom(location.href, next));
    turnTo(leaf);
    announce(`${next} percent`);
  }

  function readyViewer(viewer) {
    // Where the picture does not come, a smaller one that takes less time may; else the text opens in its place.
    const replaced = (picture) => {
      const least = picture.srcset && new URL(picture.srcset.split(" ")[0], location).href;
      if (least && least !== picture.currentSrc) {
        picture.removeAttribute("srcset");
        picture.src = least;
        return;
      }
      const leaf = picture.closest("[data-leaf]");
      leaf.classList.add("leaf-undrawn");
      one(".leaf-text", leaf).open = true;
    };
    for (const picture of all("[data-leaf-picture]", viewer)) {
      picture.addEventListener("error", () => replaced(picture));
      if (picture.complete && !picture.naturalWidth) replaced(picture);
    }
    viewer.addEventListener("click", (event) => {
      const link = event.target.closest("[data-leaf-step], [data-zoom-step]");
      if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      if (link.dataset.leafStep) turn(Number(link.dataset.leafStep));
      else zoom(Number(link.dataset.zoomStep));
    });
    for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) {
      addEventListener(kind, () => (byHand = true), { capture: true, passive: true });
    }
    // Who goes into a page with Tab is on it.
    viewer.addEventListener("focusin", (event) => {
      turned = event.target.closest("[data-leaf]") || turned;
      showHere();
    });
    const here = one("[data-leaf-here]", viewer);
    let waiting = false;
    addEventListener("scroll", () => {
      if (byHand) turned = null;
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        if (leafInView().dataset.leaf !== here.value) showHere();
      });
    });
    // A link to a passage leads to its mark, wherever pictures push it to while they come.
    const mark = location.hash.startsWith("#p") && one("rect.mark-cited[id]", viewer);
    if (mark && mark.id === location.hash.slice(1)) {
      turned = mark.closest("[data-leaf]");
      const show = () => mark.scrollIntoView({ block: "center" });
      show();
      one("[data-leaf-picture]", turned).addEventListener("load", show, { once: true });
    }
    showHere();
  }

  // ---- keys and menus ----------------------------------------------------------------------------------------

  function step(by) {
    const link = one(`[data-key=${by > 0 ? "j" : "k"}]`);
    if (link) return link.click();
    const links = all("[data-cite]").filter((element) => element.offsetParent);
    const at = links.indexOf(document.activeElement);
    const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))];
    next?.focus();
  }

  const keys = {
    "?": () => document.getElementById("keys")?.showModal(),
    "/": () => (one("[data-search]") ? one("[data-search]").focus() : (location.href = "/search")),
    n: () => (one(".welcome") ? document.getElementById("question")?.focus() : one('.main-nav [href="/ask"]')?.click()),
    j: () => step(1),
    k: () => step(-1),
    "+": () => zoom(1),
    "-": () => zoom(-1),
    ArrowLeft: () => turn(-1),
    ArrowRight: () => turn(1),
  };

  function closeMenus(except) {
    all("details[data-menu][open]").forEach((menu) => menu !== except && (menu.open = false));
  }

  document.addEventListener("keydown", (event) => {
    const target = event.target;
    if (event.key === "Escape") {
      const menu = target.closest?.("details[data-menu][open]");
      closeMenus();
      if (menu) one("summary", menu).focus();
      else if (target !== document.body && !target.closest("dialog")) target.blur();
      return;
    }
    if (target.id === "question" && event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      target.form.requestSubmit();
      return;
    }
    const typing = target.matches?.("input, textarea, select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !one("#keys") || one("dialog[open]")) return;
    // A page that is wider than its frame is moved by the arrows; elsewhere than at pages they keep their meaning.
    const arrow = event.key.startsWith("Arrow");
    if (arrow && (!one("[data-viewer]") || event.shiftKey || target.closest?.(".leaf-frame, .cells-box"))) return;
    // Whoever dictates or types by accident may switch the signs off (WCAG 2.1.4); arrows are no signs.
    if (keys[event.key] && (arrow || signsWork())) {
      event.preventDefault();
      keys[event.key]();
    }
  });

  function signsWork() {
    return localStorage.getItem("keys") !== "off";
  }

  document.addEventListener("click", (event) => {
    closeMenus(event.target.closest("details[data-menu]"));
    const button = event.target.closest("button");
    if (button?.matches("[data-copy]")) copy(button);
    if (button?.matches("[data-print]")) print();
    if (button?.matches("[data-open-keys]")) keys["?"]();
  });
  document.addEventListener("mouseover", (event) => light(event.target));
  document.addEventListener("focusin", (event) => light(event.target));

  // Arrows go through the values of a facet and change what is chosen on their way; only a click, Space or Enter is
  // meant.
  let passing = false;
  document.addEventListener("keydown", (event) => {
    passing = event.key.startsWith("Arrow");
    if (!event.target.matches?.("input[type=radio][data-submit]") || ![" ", "Enter"].includes(event.key)) return;
    event.preventDefault();
    event.target.checked = true;
    submitFrom(event.target);
  });
  for (const kind of ["keyup", "pointerdown"]) document.addEventListener(kind, () => (passing = false));

  /** Sends the form of a control, which has the focus again when the answer is there. */
  function submitFrom(control) {
    sessionStorage.setItem("focus", JSON.stringify([location.pathname, control.name, control.value]));
    control.form.requestSubmit();
  }

  function restoreFocus() {
    const [path, name, value] = JSON.parse(sessionStorage.getItem("focus") || "[]");
    sessionStorage.removeItem("focus");
    const group = all("[data-submit]").filter((control) => path === location.pathname && control.name === name);
    const control = group.find((control) => control.value === value) || group[0];
    const drawer = control?.closest("details:not([open])");
    (drawer ? one("summary", drawer) : control)?.focus();
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]") && !(passing && event.target.type === "radio")) submitFrom(event.target);
    const chooser = event.target.closest(".choose");
    if (!chooser) return;
    const boxes = all("input", chooser);
    const chosen = boxes.filter((box) => box.checked);
    one("[data-chosen]", chooser).textContent =
      chosen.length === 0 || chosen.length === boxes.length
        ? "All collections"
        : chosen.length === 1
          ? chosen[0].parentElement.textContent.trim()
          : `${chosen.length} of ${boxes.length} collections`;
  });

  // One question is sent once, however often Enter is pressed.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-ask]")) return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => all("[data-ask]").forEach((form) => delete form.dataset.sent));
  addEventListener("beforeprint", () => all("main details:not(.menu)").forEach((drawer) => (drawer.open = true)));

  document.body.append(announcer);
  all("[data-open-keys]").forEach((button) => (button.hidden = false));
  for (const box of all("[data-keys-on]")) {
    box.checked = signsWork();
    box.addEventListener("change", () => localStorage.setItem("keys", box.checked ? "on" : "off"));
  }
  if (narrow.matches) all("[data-narrow-closed]").forEach((drawer) => (drawer.open = false));
  else if (one(".welcome")) document.getElementById("question")?.focus({ preventScroll: true });
  one(".main-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  prepare(document);
  all("[data-stream]").forEach(follow);
  all("[data-upload]").forEach(readyUpload);
  all("[data-viewer]").forEach(readyViewer);
  const jobs = document.getElementById("jobs");
  if (jobs?.dataset.poll && inWork(jobs)) watch(jobs.dataset.poll);
  if (jobs && "reload" in jobs.dataset) watch(location.href);
  const turns = all(".turn-row");
  if (turns.length > 1 && !location.hash) turns.at(-1).scrollIntoView({ block: "start" });
  restoreFocus();
})();
