// The player's keys, listed in the page's footer. They stay out of the way of forms, buttons and browser shortcuts.

const TYPING = "input:not([type=range]), textarea, select, [contenteditable]";
const PRESSABLE = "a[href], button, summary, video, [role=button]";

export function bindKeys({ toggle, next, previous, mute, radio, seekBy, step, active }) {
  document.addEventListener("keydown", (event) => {
    if (!active() || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.closest(TYPING)) return;
    const own = {
      " ": () => !target.closest(PRESSABLE) && (toggle(), true),
      ArrowLeft: () => !target.closest("input[type=range], video") && (seekBy(-step), true),
      ArrowRight: () => !target.closest("input[type=range], video") && (seekBy(step), true),
      n: () => (next(), true),
      p: () => (previous(), true),
      m: () => (mute(), true),
      r: () => (radio(), true),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (own?.()) event.preventDefault();
  });
}
