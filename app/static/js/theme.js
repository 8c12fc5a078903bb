// Runs before the first paint, so that a chosen theme never flashes the other one first.
(function () {
  try {
    var chosen = localStorage.getItem("wavecrate-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch (storageDenied) {
    // The system's preference stands.
  }
  document.documentElement.classList.add("js");
})();
