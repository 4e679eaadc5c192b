/* Runs before the first paint: without a choice of the user, the colours follow the system's. */
(function () {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  // What has no light-dark() has the light theme alone (app.css).
  const follow = () => {
    const isDark = dark.matches && CSS.supports("color", "light-dark(red, red)");
    root.setAttribute("data-bs-theme", isDark ? "dark" : "light");
  };
  if (root.dataset.theme === "auto") {
    follow();
    dark.addEventListener("change", follow);
  }
})();
