"use strict";
(function () {
  var plots = Array.prototype.slice.call(document.querySelectorAll(".plot"));
  var dark = window.matchMedia("(prefers-color-scheme: dark)");

  function colours(isDark) {
    var line = isDark ? "#343c48" : "#d5dae1";
    var changes = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      "font.color": isDark ? "#e6e9ee" : "#1c2430", "title.font.color": isDark ? "#e6e9ee" : "#1c2430"
    };
    return function (layout) {
      Object.keys(layout).forEach(function (key) {
        if (/^[xy]axis\d*$/.test(key)) {
          changes[key + ".gridcolor"] = line;
          changes[key + ".zerolinecolor"] = line;
        }
      });
      return changes;
    };
  }

  function draw(isDark) {
    plots.forEach(function (plot) {
      var text = document.getElementById(plot.dataset.figure).textContent;
      // The palette's blue is too dark for a dark page; its sky blue is made for it.
      if (isDark) { text = text.replace(/#0072B2/g, "#56B4E9").replace(/rgba\(0,114,178,/g, "rgba(86,180,233,"); }
      var figure = JSON.parse(text);
      // On a telephone a cell has room for its sign alone; its number is a tap away.
      if (plot.clientWidth < 480) {
        figure.data.forEach(function (trace) {
          if (trace.type === "heatmap") {
            trace.text = trace.text.map(function (row) { return row.map(function (cell) { return cell.replace(/[\d.]+ ?/, ""); }); });
          }
        });
      }
      Plotly.react(plot, figure.data, figure.layout, { responsive: true, displaylogo: false, displayModeBar: false })
        .then(function () { return Plotly.relayout(plot, colours(isDark)(figure.layout)); });
    });
  }

  if (plots.length) {
    draw(dark.matches);
    dark.addEventListener("change", function (event) { draw(event.matches); });
  }
  // Where months do not all fit, the newest are the ones to see.
  document.querySelectorAll(".grid").forEach(function (grid) { grid.parentElement.scrollLeft = grid.scrollWidth; });
  // A link into something folded away opens it.
  function openTarget() {
    var target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (var part = target; part; part = part.parentElement) {
      if (part.tagName === "DETAILS") { part.open = true; }
    }
    if (target) { target.scrollIntoView(); }
  }
  if (location.hash) { openTarget(); }
  window.addEventListener("hashchange", openTarget);
  // What is folded away on the screen is still part of the printed document, and ink is dark on white paper.
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details").forEach(function (part) { part.open = true; });
    if (dark.matches) { draw(false); }
  });
  window.addEventListener("afterprint", function () { if (dark.matches) { draw(true); } });
})();
