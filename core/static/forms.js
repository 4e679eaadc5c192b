/* What forms do beyond HTML; all of them work without it. */

/* A second click on a button that has sent its form would send it again: of a slow save it makes
   two. After a while the form may be sent again, as when the browser was told to stop. */
const AGAIN = 5000;
let sent = new WeakMap();
document.addEventListener("submit", (event) => {
  const form = event.target;
  // Not form.matches(): that is a field of this name, if there is one.
  if (event.defaultPrevented || !Element.prototype.matches.call(form, "[method=post i]")) {
    return;
  }
  if (event.timeStamp - sent.get(form) < AGAIN) {
    event.preventDefault();
  } else {
    sent.set(form, event.timeStamp);
  }
});
window.addEventListener("pageshow", () => {
  // The browser may have kept the page for who comes back to it.
  sent = new WeakMap();
});

/* A box that ticks all others of its form, wherever they stand. */
for (const all of document.querySelectorAll("[data-ticks]")) {
  const boxes = document.querySelectorAll(`[type=checkbox][form="${all.dataset.ticks}"]`);
  all.closest("[hidden]").hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes) {
      box.checked = all.checked;
    }
  });
}

/* A menu closes when the focus leaves it, or it would hide where that is. */
for (const menu of document.querySelectorAll("[popover]")) {
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    // Its button opens and closes it by itself.
    if (relatedTarget && !menu.contains(relatedTarget) && relatedTarget.popoverTargetElement !== menu) {
      menu.hidePopover?.();
    }
  });
}

/* The Escape key takes a question back. */
document.addEventListener("keydown", (event) => {
  const asked = event.key === "Escape" ? document.querySelectorAll(".confirm[open]") : [];
  for (const question of asked) {
    if (question.contains(document.activeElement)) {
      question.querySelector("summary").focus();
    }
    question.open = false;
  }
});

/* Searches related records without a journey of the page: asks for the form as its button would,
   and takes the select with the results, and the sentence that counts them, out of the answer. */
for (const box of document.querySelectorAll("[data-search-select]")) {
  const input = box.querySelector("input[type=search]");
  const button = box.querySelector("button");
  const id = box.dataset.searchSelect;
  let asked = 0;
  const search = async () => {
    const mine = ++asked;
    const before = document.getElementById(id).value;
    try {
      const data = new FormData(button.form);
      // A search needs no files, which may be too large.
      for (const [name, value] of [...data]) {
        if (value instanceof File) {
          data.delete(name);
        }
      }
      data.set(button.name, button.value);
      // Nor form.action.
      const answer = await fetch(button.form.getAttribute("action") ?? "", { method: "POST", body: data });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (mine !== asked) {
        // Other words were sought meanwhile.
        return;
      }
      const select = page.getElementById(id);
      const found = page.querySelector(`[data-search-select="${id}"]`);
      box.querySelector("input[type=hidden]").value = found.querySelector("input[type=hidden]").value;
      // A live region: a screen reader says it.
      box.querySelector("[role=status]").textContent = found.querySelector("[role=status]").textContent;
      // That of the form may have expired.
      for (const token of button.form.querySelectorAll("[name=csrf_token]")) {
        token.value = select.form.querySelector("[name=csrf_token]").value;
      }
      const old = document.getElementById(id);
      const active = document.activeElement;
      if (old.value !== before) {
        // What was chosen meanwhile stays.
        const { value, text } = old.selectedOptions[0];
        const known = [...select.options].find((option) => option.value === value);
        (known ?? select.appendChild(new Option(text, value))).selected = true;
      }
      // The whole select: of options that move one by one the browser chooses one by itself.
      old.replaceWith(select);
      if (active === old || active === document.body || box.contains(active)) {
        select.focus();
      }
    } catch {
      // Whatever came back was not the form: the journey of the page shows what it is.
      if (mine === asked) {
        button.form.requestSubmit(button);
      }
    }
  };
  button.addEventListener("click", (event) => {
    event.preventDefault();
    search();
  });
  input.addEventListener("keydown", (event) => {
    // Not the one that ends a word of Chinese or Japanese.
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      search();
    }
  });
}
