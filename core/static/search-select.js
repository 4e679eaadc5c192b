/* Searches related records without a journey of the page: asks for the form as its button would,
   and takes the select with the results, and the sentence that counts them, out of the answer. */
for (const box of document.querySelectorAll("[data-search-select]")) {
  const input = box.querySelector("input[type=search]");
  const button = box.querySelector("button");
  const id = box.dataset.searchSelect;
  const search = async () => {
    try {
      const data = new FormData(button.form);
      data.set(button.name, button.value);
      const answer = await fetch(button.form.action, { method: "POST", body: data });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const select = page.getElementById(id);
      const found = page.querySelector(`[data-search-select="${id}"]`);
      box.querySelector("input[type=hidden]").value = found.querySelector("input[type=hidden]").value;
      // A live region: a screen reader says it.
      box.querySelector("[role=status]").textContent = found.querySelector("[role=status]").textContent;
      // The whole select: of options that move one by one the browser chooses one by itself.
      document.getElementById(id).replaceWith(select);
      select.focus();
    } catch {
      // Whatever came back was not the form: the journey of the page shows what it is.
      button.form.requestSubmit(button);
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
