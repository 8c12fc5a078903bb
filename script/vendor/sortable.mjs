// SortableJS, as one module.
export { default as Sortable } from "sortablejs";
