// Loaded before the page is drawn, so that a chosen colour scheme does not flash.
(function () {
  "use strict";
  try {
    var theme = localStorage.getItem("flask-queue-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.fqTheme = theme;
  } catch (error) { /* storage is forbidden: the system's scheme it is */ }
})();
