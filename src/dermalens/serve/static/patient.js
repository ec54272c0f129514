// What is said of one patient and one lesion must not go on to the next image.
const NAMES = ["keep", "lesion", "taken_on", "note", "age_years", "sex", "site", "millimetres_per_pixel"];

function initial(field) {
  if (field.type === "checkbox") return field.defaultChecked;
  if (field.options) return ([...field.options].find((option) => option.defaultSelected) ?? field.options[0]).value;
  return field.defaultValue;
}

const key = (field) => (field.type === "checkbox" ? "checked" : "value");

function filled(form) {
  const fields = NAMES.map((name) => form.elements.namedItem(name)).filter(Boolean);
  return fields.filter((field) => field[key(field)] !== initial(field));
}

export const isPatientNamed = (form) => filled(form).length > 0;

export function forgetPatient(form) {
  for (const field of filled(form)) field[key(field)] = initial(field);
}
