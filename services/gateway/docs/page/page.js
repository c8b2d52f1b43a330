/* global document, location, window */
/** Opens the entry that the URL's fragment names, and filters entries by the search words. */
const search = document.getElementById("search");
const nothing = document.getElementById("nothing");
const overview = document.querySelector(".overview");
const parts = [...document.querySelectorAll(".part")].map((part) => ({
  part,
  contents: document.querySelector(`nav [data-of="${part.id}"]`),
  entries: [...part.querySelectorAll(".entry")].map((entry) => ({
    entry,
    line: document.querySelector(`nav a[href="#${entry.id}"]`).parentElement,
    words: entry.dataset.words,
  })),
}));

function openNamed() {
  const entry = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (entry === null || !entry.classList.contains("entry")) return;
  entry.open = true;
  entry.scrollIntoView();
}

function filter() {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { part, contents, entries } of parts) {
    let inPart = 0;
    for (const { entry, line, words } of entries) {
      const isHidden = !wanted.every((word) => words.includes(word));
      entry.hidden = isHidden;
      line.hidden = isHidden;
      if (!isHidden) inPart++;
    }
    part.hidden = inPart === 0;
    contents.hidden = inPart === 0;
    found += inPart;
  }
  overview.hidden = wanted.length > 0;
  nothing.hidden = found > 0;
}

search.hidden = false;
search.addEventListener("input", filter);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && document.activeElement === search) {
    search.value = "";
    filter();
    search.blur();
  }
});
document.querySelector("nav").addEventListener("click", ({ target }) => {
  const link = target.closest("a");
  if (link === null) return;
  // Navigating to the current fragment fires no hashchange.
  if (link.hash === location.hash) openNamed();
  if (window.matchMedia("(max-width: 60rem)").matches) document.querySelector("nav details").open = false;
});
if (window.matchMedia("(max-width: 60rem)").matches) document.querySelector("nav details").open = false;
window.addEventListener("hashchange", openNamed);
openNamed();
