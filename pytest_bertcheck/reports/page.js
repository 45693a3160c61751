"use strict";
for (const input of document.querySelectorAll("input[type=search]")) {
  const rows = [...document.querySelectorAll("#" + input.getAttribute("aria-controls") + " tbody tr")];
  const said = input.closest(".tool").querySelector("[role=status]");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  input.closest(".tool").hidden = false;
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row, place) => {
      row.hidden = !texts[place].includes(wanted);
      shown += row.hidden ? 0 : 1;
    });
    said.textContent = wanted ? shown + " of " + rows.length : "";
  });
}
