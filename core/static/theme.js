/* Runs before the first paint: without a choice of the user, the colours follow the system's. */
(function () {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => root.setAttribute("data-bs-theme", dark.matches ? "dark" : "light");
  if (root.dataset.theme === "auto") {
    follow();
    dark.addEventListener("change", follow);
  }
})();
