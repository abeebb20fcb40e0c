"use strict";
(() => {
  const coloured = (value, style) => {
    if (typeof value === "string") return value.startsWith("--") ? style.getPropertyValue(value).trim() : value;
    if (Array.isArray(value)) return value.map((each) => coloured(each, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, coloured(each, style)]));
    }
    return value;
  };
  const config = { displaylogo: false, modeBarButtons: [["toImage"]], responsive: true };

  const draw = () => {
    const style = getComputedStyle(document.documentElement);
    for (const figure of document.querySelectorAll("figure")) {
      const panels = JSON.parse(figure.querySelector(".panels-data").textContent);
      figure.querySelectorAll(".plot").forEach((plot, place) => {
        const { data, layout } = coloured(panels[place], style);
        Plotly.react(plot, data, layout, config);
      });
    }
    document.documentElement.dataset.drawn = "yes";
  };

  const sort = (header) => {
    const table = header.closest("table");
    const place = header.cellIndex;
    const down = header.getAttribute("aria-sort") === "ascending";
    for (const other of table.querySelectorAll("th")) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[place];
      return "number" in cell.dataset ? Number(cell.dataset.number) : cell.textContent;
    };
    const order = (a, b) => {
      const [one, other] = [key(a), key(b)];
      if (typeof one === "number" && typeof other === "number") return one - other;
      if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
      return one.localeCompare(other, "en", { numeric: true });
    };
    const rows = [...table.tBodies[0].rows].sort(order);
    table.tBodies[0].append(...(down ? rows.reverse() : rows));
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("th button");
    if (button) sort(button.closest("th"));
  });
  draw();
  document.addEventListener("radhard-new", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  matchMedia("print").addEventListener("change", draw);
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details:not([open])")) {
      each.open = true;
      opened.push(each);
    }
  });
  addEventListener("afterprint", () => opened.splice(0).forEach((each) => (each.open = false)));
})();
