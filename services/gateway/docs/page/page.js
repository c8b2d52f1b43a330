/* global document, location, window */
/** Opens the entry that the URL's fragment names, and filters entries by the search words. */
const search = document.getElementById("search");
const noResults = document.getElementById("no-results");
const overview = document.querySelector(".overview");
const sections = [...document.querySelectorAll(".part")].map((section) => ({
  section,
  contents: document.querySelector(`nav [data-of="${section.id}"]`),
  entries: [...section.querySelectorAll(".entry")].map((entry) => ({
    entry,
    link: document.querySelector(`nav a[href="#${entry.id}"]`).parentElement,
    text: entry.dataset.words,
  })),
}));

function openNamed() {
  const entry = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (entry === null || !entry.classList.contains("entry")) return;
  entry.open = true;
  entry.scrollIntoView();
}

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { section, contents, entries } of sections) {
    let inSection = 0;
    for (const { entry, link, text } of entries) {
      const isHidden = !words.every((word) => text.includes(word));
      entry.hidden = isHidden;
      link.hidden = isHidden;
      if (!isHidden) inSection++;
    }
    section.hidden = inSection === 0;
    contents.hidden = inSection === 0;
    found += inSection;
  }
  overview.hidden = words.length > 0;
  noResults.hidden = found > 0;
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
