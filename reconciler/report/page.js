"use strict";
(() => {
  const { strings, rows, textual, numeric, perPage, firsts } = JSON.parse(document.getElementById("data").textContent);
  const table = document.getElementById("table"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const search = document.getElementById("search"), status = document.getElementById("status"), count = document.getElementById("count");
  const back = document.getElementById("back"), next = document.getElementById("next"), at = document.getElementById("page");
  const jobs = rows.map(row => row.map((cell, i) => textual.includes(i) ? strings[cell] : cell));
  const shown = (cell, i) => cell === null ? "?" : numeric.includes(i) ? firsts[i] + cell.toLocaleString("en-US", firsts[i] ? { minimumFractionDigits: 2, maximumFractionDigits: 6 } : {})
    : i === 0 ? new Date(cell * 1000).toISOString().slice(0, 16).replace("T", " ") : cell;
  const STATUS = heads.findIndex(head => head.textContent === "Status");
  let found = jobs, column = 0, down = true, page = 0;

  const compare = (a, b) => {
    const x = a[column], y = b[column];
    if (x === y) return 0;
    if (x === null || y === null) return x === null ? 1 : -1;
    return (x < y ? -1 : 1) * (down ? -1 : 1);
  };
  const draw = () => {
    const cells = found.slice(page * perPage, (page + 1) * perPage).map(row => {
      const line = document.createElement("tr");
      row.forEach((cell, i) => {
        const made = line.insertCell();
        made.textContent = shown(cell, i);
        if (numeric.includes(i)) made.className = "number";
      });
      return line;
    });
    body.replaceChildren(...cells);
    heads.forEach((head, i) => i === column ? head.setAttribute("aria-sort", down ? "descending" : "ascending") : head.removeAttribute("aria-sort"));
    const last = Math.max(1, Math.ceil(found.length / perPage));
    at.textContent = `page ${page + 1} of ${last}`;
    back.disabled = page === 0;
    next.disabled = page + 1 >= last;
    count.textContent = `${found.length.toLocaleString("en-US")} of ${jobs.length.toLocaleString("en-US")} jobs`;
  };
  const select = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    found = jobs.filter(row => (!status.value || row[STATUS] === status.value)
      && words.every(word => row.some((cell, i) => String(shown(cell, i)).toLowerCase().includes(word)))).sort(compare);
    page = 0;
    draw();
  };

  heads.forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      down = i === column ? !down : i === 0 || numeric.includes(i);
      column = i;
      select();
    });
    head.replaceChildren(button);
  });
  [...new Set(jobs.map(row => row[STATUS]))].sort().forEach(name => status.add(new Option(name)));
  search.addEventListener("input", select);
  status.addEventListener("change", select);
  back.addEventListener("click", () => { page -= 1; draw(); });
  next.addEventListener("click", () => { page += 1; draw(); });
  document.getElementById("filter").addEventListener("submit", event => event.preventDefault());
  document.getElementById("filter").hidden = document.getElementById("pages").hidden = false;
  select();
})();
