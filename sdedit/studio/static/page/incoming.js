/** Files that come to the page: chosen, dropped or pasted. */

import { byId } from "./dom.js";

/**
 * @param {(file: File) => void} take what is dropped, pasted or chosen to be opened
 * @returns {(take?: (file: File) => void) => void} asks for a file
 */
export function startIncoming(take) {
  const input = /** @type {HTMLInputElement} */ (byId("file"));
  let taken = take;
  input.addEventListener("change", () => {
    if (input.files?.[0]) taken(input.files[0]);
    input.value = "";
  });
  document.addEventListener("paste", ({ clipboardData }) => first(clipboardData, take));
  document.addEventListener("dragover", (event) => {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    first(event.dataTransfer, take);
  });
  return (other = take) => {
    taken = other;
    input.click();
  };
}

/**
 * @param {DataTransfer | null} transfer
 * @param {(file: File) => void} take
 */
function first(transfer, take) {
  const file = [...(transfer?.files ?? [])][0];
  if (file) take(file);
}
