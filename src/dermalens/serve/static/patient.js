// What is said of one patient and one lesion must not go on to the next image.
import { initial, isChanged, put } from "./fields.js";

const NAMES = ["keep", "lesion", "taken_on", "note", "age_years", "sex", "site", "millimetres_per_pixel"];

function filled(form) {
  return NAMES.map((name) => form.elements.namedItem(name)).filter((field) => field && isChanged(field));
}

export const isPatientNamed = (form) => filled(form).length > 0;

export function forgetPatient(form) {
  for (const field of filled(form)) put(field, initial(field));
}
