// What was typed is there again after another form of the page was sent, or after a session that had ended; the page says
// that it is not kept. Of what is known of a case only what was changed is sent, so that a page opened earlier takes
// nothing back that was kept since.
import { isChanged, put, value } from "./fields.js";

const said = document.getElementById("carried");
const forms = [...document.querySelectorAll("form[data-carried]")];
const key = `carried ${location.pathname.split("/").slice(0, 3).join("/")}`;
const isRefused = (form) => "refused" in form.dataset; // then it came with what was typed, none of which is kept
const changed = (form) => [...form.elements].filter((field) => field.name && (isRefused(form) || isChanged(field)));
const isKept = new URLSearchParams(location.search).has("done"); // what was sent

for (const { id, typed, isSent } of JSON.parse(sessionStorage.getItem(key) ?? "[]")) {
  const field = document.getElementById(id);
  if (!field || (isSent && isKept) || value(field) === typed) continue;
  put(field, typed);
  said.textContent = said.dataset.text;
}
sessionStorage.removeItem(key);

for (const form of forms) {
  form.addEventListener("submit", () => {
    const typed = forms.flatMap(changed);
    sessionStorage.setItem(
      key,
      JSON.stringify(typed.map((field) => ({ id: field.id, typed: value(field), isSent: field.form === form }))),
    );
  });
}

for (const form of document.querySelectorAll("form[data-changes]")) {
  form.addEventListener("formdata", ({ formData }) => {
    const names = changed(form).map((field) => field.name);
    for (const name of names.length ? [...formData.keys()] : []) if (!names.includes(name)) formData.delete(name);
  });
}
