"use strict";
(() => {
  const menu = document.getElementById("menu");
  const form = document.getElementById("search-form");
  const field = document.getElementById("search");
  const found = document.getElementById("found");
  const operations = [...document.querySelectorAll(".operation")];
  const wide = matchMedia("(min-width: 60rem)");
  // On a phone the menu would hide the page, so it starts closed there.
  const fit = () => { menu.open = wide.matches; };
  fit();
  wide.addEventListener("change", fit);
  menu.addEventListener("click", (event) => {
    if (!wide.matches && event.target.closest("a")) menu.open = false;
  });
  const follow = () => {
    for (const link of menu.querySelectorAll("a")) {
      const here = link.hash === location.hash && location.hash !== "";
      link.toggleAttribute("aria-current", here);
      // Not scrollIntoView, which would also move the page itself.
      if (here && wide.matches) menu.parentElement.scrollTop = link.offsetTop - menu.parentElement.clientHeight / 3;
    }
  };
  addEventListener("hashchange", follow);
  follow();
  const filter = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const operation of operations) {
      const hit = words.every((word) => operation.dataset.words.includes(word));
      count += hit;
      document.querySelector(`[data-for="${operation.id}"]`).hidden = !hit;
    }
    for (const group of document.querySelectorAll(".group")) {
      group.hidden = words.length > 0 && !group.querySelector("li:not([hidden])");
    }
    found.textContent = words.length ? `${count} of ${operations.length} operations` : "";
  };
  form.hidden = false; // without this script there is nothing to search with
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    document.querySelector("#menu-list li li:not([hidden]) a")?.click();
  });
  field.addEventListener("input", filter);
  filter(); // a reload keeps the field's text
})();
