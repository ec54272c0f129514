// On every page: what only works with a script is shown once there is one.
export function reveal(root) {
  for (const part of root.querySelectorAll("[data-scripted]")) part.hidden = false;
}

reveal(document);
