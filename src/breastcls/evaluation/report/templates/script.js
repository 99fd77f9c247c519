"use strict";
(() => {
  const announcement = document.getElementById("announcement");

  // Without this script the page is complete: the buttons that need it are made here only.
  const valueOf = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();

  const compare = (kind, direction) => (first, second) => {
    // What is not defined stays at the end whichever way the column is sorted.
    if (first.value === "" || second.value === "") {
      return (first.value === "") - (second.value === "") || first.place - second.place;
    }
    const order = kind === "number"
      ? Number(first.value) - Number(second.value)
      : first.value.localeCompare(second.value, "en", { numeric: true });
    return direction * order || first.place - second.place;
  };

  const sortBy = (table, header) => {
    const kind = header.dataset.sort;
    const before = header.getAttribute("aria-sort");
    const ascending = before ? before === "descending" : kind === "text";
    const body = table.tBodies[0];
    const rows = Array.from(body.rows, (row, place) => ({ row, place, value: valueOf(row, header.cellIndex) }));
    rows.sort(compare(kind, ascending ? 1 : -1));
    body.append(...rows.map((entry) => entry.row));
    for (const other of table.tHead.rows[0].cells) { other.removeAttribute("aria-sort"); }
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    announcement.textContent =
      `Sorted by ${header.textContent.trim()}, ${ascending ? "ascending" : "descending"}.`;
  };

  // Where a table is wider than the screen, a hint and a shadow show that it goes on.
  const frames = document.querySelectorAll(".table-frame");
  const markFrames = () => {
    for (const frame of frames) { frame.classList.toggle("scrolls", frame.scrollWidth > frame.clientWidth + 1); }
  };
  window.addEventListener("resize", markFrames);
  markFrames();

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    for (const header of table.querySelectorAll("thead th[data-sort]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...header.childNodes);
      button.addEventListener("click", () => sortBy(table, header));
      header.append(button);
    }
  }
})();
