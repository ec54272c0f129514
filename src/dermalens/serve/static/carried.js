// What was typed is there again after another form of the page was sent, or after a session that had ended; the page says
// that it is not kept.

const said = document.getElementById("carried");
const forms = [...document.querySelectorAll("form[data-carried]")];
const key = `carried ${location.pathname.split("/").slice(0, 3).join("/")}`;
const fields = (form) => [...form.elements].filter((field) => field.name);
const value = (field) => (field.type === "radio" ? field.checked : field.value);
const before = new Map(forms.flatMap(fields).map((field) => [field, value(field)]));
const isKept = new URLSearchParams(location.search).has("done"); // what was sent

for (const { id, typed, isSent } of JSON.parse(sessionStorage.getItem(key) ?? "[]")) {
  const field = document.getElementById(id);
  if (!field || (isSent && isKept) || value(field) === typed) continue;
  if (field.type === "radio") field.checked = typed;
  else field.value = typed;
  said.textContent = said.dataset.text;
}
sessionStorage.removeItem(key);

for (const form of forms) {
  form.addEventListener("submit", () => {
    const typed = forms.flatMap(fields).filter((field) => value(field) !== before.get(field));
    sessionStorage.setItem(
      key,
      JSON.stringify(typed.map((field) => ({ id: field.id, typed: value(field), isSent: field.form === form }))),
    );
  });
}
