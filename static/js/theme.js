// Runs before the page is painted: light or dark as the user chose, else as the system is.
(() => {
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const wanted = root.dataset.theme;
    const theme = wanted === "auto" ? (system.matches ? "dark" : "light") : wanted;
    root.setAttribute("data-bs-theme", theme);
  };
  apply();
  root.classList.add("has-script");
  system.addEventListener("change", apply);
})();
