// What stands in a field, and what stood there as the page came: a browser puts typed values back before any module runs.
export function value(field) {
  return field.type === "checkbox" || field.type === "radio" ? field.checked : field.value;
}

export function initial(field) {
  if (field.type === "checkbox" || field.type === "radio") return field.defaultChecked;
  if (field.options) return ([...field.options].find((option) => option.defaultSelected) ?? field.options[0]).value;
  return field.defaultValue;
}

export const isChanged = (field) => value(field) !== initial(field);

export function put(field, typed) {
  if (field.type === "checkbox" || field.type === "radio") field.checked = typed;
  else field.value = typed;
}
