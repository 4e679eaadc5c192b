/* Searches related records without a journey of the page: asks for the form as its button would,
   and takes the select with the results out of the answer. */
for (const box of document.querySelectorAll("[data-search-select]")) {
  const input = box.querySelector("input");
  const button = box.querySelector("button");
  const search = async () => {
    const data = new FormData(button.form);
    data.set(button.name, button.value);
    const answer = await fetch(button.form.action, { method: "POST", body: data });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const results = page.getElementById(box.dataset.searchSelect);
    if (results) {
      document.getElementById(box.dataset.searchSelect).replaceChildren(...results.children);
    }
  };
  button.addEventListener("click", (event) => {
    event.preventDefault();
    search();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      search();
    }
  });
}
