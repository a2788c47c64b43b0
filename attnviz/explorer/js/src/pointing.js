// The pointer on a time line: hover, click, drag to move, wheel with ctrl or shift to zoom.

import { timestepAt } from "./layout.js";

const SLACK = 4; // pixels a click may move

/** Listens on a canvas; `layout()` is the present one. Returns what ends that. */
export function pointAt(canvas, layout, actions) {
  let drag = null;
  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const inside = (t) => t >= layout().first && t < layout().last;

  const listeners = {
    pointerdown(event) {
      if (event.button !== 0) return;
      drag = { x: event.clientX, moved: false, layout: layout() };
      canvas.setPointerCapture(event.pointerId);
    },
    pointermove(event) {
      const [x, y] = placeOf(event);
      if (drag && Math.abs(event.clientX - drag.x) > SLACK) drag.moved = true;
      if (drag?.moved) {
        actions.pan(drag.layout, (drag.x - event.clientX) / drag.layout.column);
        actions.leave();
      } else {
        actions.hover(x, y, event);
      }
    },
    pointerup(event) {
      const t = timestepAt(layout(), placeOf(event)[0]);
      if (drag && !drag.moved && inside(t)) actions.choose(t);
      drag = null;
    },
    pointercancel() {
      drag = null;
    },
    pointerleave() {
      actions.leave();
    },
    wheel(event) {
      if (!event.ctrlKey && !event.shiftKey) return;
      event.preventDefault();
      // With shift, browsers turn the wheel sideways.
      const turned = event.deltaY || event.deltaX;
      if (turned === 0) return;
      actions.zoom(turned < 0 ? 1.25 : 0.8, timestepAt(layout(), placeOf(event)[0]));
    },
  };
  for (const [name, listener] of Object.entries(listeners)) {
    canvas.addEventListener(name, listener, name === "wheel" ? { passive: false } : undefined);
  }
  return () => {
    for (const [name, listener] of Object.entries(listeners)) canvas.removeEventListener(name, listener);
  };
}
