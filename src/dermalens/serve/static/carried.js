// What was typed into one form of the page is there again after another one was sent.

const forms = [...document.querySelectorAll("form[data-carried]")];
const key = `carried ${location.pathname.split("/").slice(0, 3).join("/")}`;
const fields = (form) => [...form.elements].filter((field) => field.name);
const value = (field) => (field.type === "radio" ? field.checked : field.value);
const before = new Map(forms.flatMap(fields).map((field) => [field, value(field)]));

for (const { id, typed } of JSON.parse(sessionStorage.getItem(key) ?? "[]")) {
  const field = document.getElementById(id);
  if (!field) continue;
  if (field.type === "radio") field.checked = typed;
  else field.value = typed;
}
sessionStorage.removeItem(key);

for (const form of forms) {
  form.addEventListener("submit", () => {
    const unsent = forms.filter((other) => other !== form).flatMap(fields);
    const typed = unsent.filter((field) => value(field) !== before.get(field));
    sessionStorage.setItem(key, JSON.stringify(typed.map((field) => ({ id: field.id, typed: value(field) }))));
  });
}
