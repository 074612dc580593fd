// Explorers: show the picture of what is chosen. Painters: a mask to tap, and its weights.
// Folded things: open all, and before printing.
"use strict";

function tell(control) {
  if (!control.dataset.names) return;
  const name = JSON.parse(control.dataset.names)[Number(control.value)];
  control.setAttribute("aria-valuetext", name);
  control.nextElementSibling.textContent = name;
}

function follow(explorer) {
  const controls = [...explorer.querySelectorAll("input, select")];
  const { pictures, shown } = JSON.parse(explorer.querySelector("script").textContent);
  const places = () => controls.map((control) => control.value).join();
  for (const control of controls) {
    control.addEventListener("input", () => {
      if (!(places() in shown)) controls.forEach((other) => other !== control && (other.value = 0));
      controls.forEach(tell);
      explorer.querySelector(".shown").innerHTML = pictures[shown[places()]];
    });
  }
  explorer.querySelectorAll(".controls, .note").forEach((part) => (part.hidden = false));
}

function tableOf(caption, tokens, cellOf) {
  const table = document.createElement("table");
  table.createCaption().textContent = caption;
  const head = table.createTHead().insertRow();
  head.insertCell();
  tokens.forEach((token) => head.append(headerOf(token, "col")));
  const body = table.createTBody();
  tokens.forEach((token, row) => {
    const line = body.insertRow();
    line.append(headerOf(token, "row"));
    tokens.forEach((_, column) => line.insertCell().append(cellOf(row, column)));
  });
  return table;
}

function headerOf(token, scope) {
  const header = document.createElement("th");
  header.scope = scope;
  header.textContent = token;
  return header;
}

function paint(painter) {
  const { tokens, mask, rows } = JSON.parse(painter.querySelector("script").textContent);
  const weights = tableOf("weights", tokens, () => "");
  const showRow = (row) => {
    rows[row][parseInt(mask[row].join(""), 2)].forEach((share, column) => {
      const cell = weights.tBodies[0].rows[row].cells[column + 1];
      cell.textContent = share;
      cell.style.setProperty("--share", Number(share) || 0);
    });
  };
  const press = (button, row, column) => {
    button.setAttribute("aria-pressed", String(mask[row][column] === 1));
    button.textContent = mask[row][column] ? "✓" : "–";
  };
  const buttons = tableOf("mask: tap a place to open or shut it", tokens, (row, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `${tokens[row]} may see ${tokens[column]}`);
    press(button, row, column);
    button.addEventListener("click", () => {
      mask[row][column] = 1 - mask[row][column];
      press(button, row, column);
      showRow(row);
    });
    return button;
  });
  tokens.forEach((_, row) => showRow(row));
  painter.querySelector("img").replaceWith(buttons, weights);
}

function setAll(open) {
  for (const folded of document.querySelectorAll("article details")) folded.open = open;
}

// What is too wide for a phone is pushed sideways: with a finger, or with the arrow keys.
function reachable() {
  for (const box of document.querySelectorAll("mjx-container[display], .cell_output .output")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}

document.querySelectorAll(".explorer").forEach(follow);
document.querySelectorAll(".painter").forEach(paint);
document.querySelectorAll(".open-all").forEach((button) => {
  button.hidden = false;
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(open));
    setAll(open);
  });
});
window.addEventListener("beforeprint", () => setAll(true));
window.addEventListener("load", () => {
  Promise.resolve(window.MathJax?.startup?.promise).then(reachable);
  document.addEventListener("toggle", reachable, true);
  window.addEventListener("resize", reachable);
});
