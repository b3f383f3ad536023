// A click on a column's head sorts the rows of each group by it; another click turns the order round.
const value = (row, index) => {
  const text = row.cells[index].innerText.trim().replaceAll("−", "-").replace("×", "");
  const number = parseFloat(text);
  return Number.isNaN(number) || index === 0 ? text : number;
};
for (const head of document.querySelectorAll("thead button")) {
  head.addEventListener("click", () => {
    const cell = head.closest("th"), index = cell.cellIndex, up = cell.getAttribute("aria-sort") !== "ascending";
    for (const other of cell.parentElement.cells) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", up ? "ascending" : "descending");
    for (const body of head.closest("table").tBodies) {
      const rows = [...body.rows].filter((row) => !row.classList.contains("group"));
      rows.sort((a, b) => {
        const [x, y] = [value(a, index), value(b, index)];
        if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1; // what was not run stays at the end
        return (up ? 1 : -1) * (typeof x === "number" ? x - y : x.localeCompare(y));
      });
      body.append(...rows);
    }
  });
}
