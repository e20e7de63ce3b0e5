"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const charts = figures.map((_, index) => document.getElementById("chart-" + index));
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  let dark = systemDark.matches;

  const config = {
    responsive: true,
    displaylogo: false,
    showSendToCloud: false,
    plotlyServerURL: "",
    modeBarButtonsToRemove: ["sendChartToCloud", "sendDataToCloud", "select2d", "lasso2d", "autoScale2d"],
  };

  // plotly.js draws in fixed colours: they are read from the page in its present theme.
  function theme() {
    const ink = getComputedStyle(document.body).color;
    const quiet = getComputedStyle(document.querySelector("nav ul")).borderTopColor;
    const page = getComputedStyle(document.body).backgroundColor;
    const axis = { gridcolor: quiet, zerolinecolor: quiet, linecolor: quiet };
    return {
      data: { bar: [{ error_x: { color: ink, thickness: 1.5 } }] },
      layout: {
        font: { color: ink, size: 13, family: getComputedStyle(document.body).fontFamily },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        xaxis: axis,
        yaxis: { ...axis, ticklabelstandoff: 6 },
        hoverlabel: { bgcolor: page, bordercolor: quiet, font: { color: ink } },
        modebar: { color: ink, activecolor: ink, bgcolor: "rgba(0,0,0,0)" },
        margin: { l: 8, r: 8, t: 36, b: 8 },
        legend: { orientation: "h", x: 0, xanchor: "left", y: 0, yanchor: "bottom", yref: "container" },
      },
    };
  }

  function draw() {
    // On a touch screen a finger scrolls the page; the buttons above a chart still zoom.
    const dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom";
    figures.forEach((figure, index) => {
      const layout = { ...figure.layout, dragmode, template: theme() };
      Plotly.newPlot(charts[index], figure.data, layout, config);
    });
  }

  function show() {
    document.documentElement.style.colorScheme = dark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(dark));
    charts.forEach((chart) => Plotly.relayout(chart, { template: theme() }));
  }

  button.hidden = false;
  button.setAttribute("aria-pressed", String(dark));
  button.addEventListener("click", () => { dark = !dark; show(); });
  systemDark.addEventListener("change", (event) => { dark = event.matches; show(); });
  draw();
})();
