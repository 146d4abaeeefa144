// Shows how far the judge is without a reload. The page is whole without it.
"use strict";
(() => {
  const every = 5000;
  async function look() {
    const here = document.getElementById("live");
    if (!here || here.dataset.moves !== "yes") return;
    // Whoever writes a note is not disturbed.
    if (!document.hidden && !here.querySelector("details[open]") && !here.contains(document.activeElement)) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        const text = answer.ok ? await answer.text() : "";
        const there = new DOMParser().parseFromString(text, "text/html").getElementById("live");
        if (there && there.innerHTML !== here.innerHTML) here.replaceWith(document.adoptNode(there));
      } catch { /* the next one may succeed */ }
    }
    setTimeout(look, every);
  }
  setTimeout(look, every);
})();
