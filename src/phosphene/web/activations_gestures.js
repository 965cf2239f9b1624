"use strict";
// What fingers, mouse, wheel and keys ask of a map. Places are shares of the map's side.
(() => {
  const STILL = 6; // pixels that a press may wander and still is a tap
  const STEP = 1.5; // of the zoom, by a key, a button or a double click
  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  // heard: zoom(factor, place or nothing), pan([across, down]), point(place or null), choose(place),
  // step([rows, columns]), whole(), finer(by), leave().
  function listen(surface, heard) {
    const fingers = new Map(), press = { start: null, wandered: false };
    const placeOf = (event) => {
      const box = surface.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    surface.addEventListener("pointerdown", (event) => down(event, surface, fingers, press));
    surface.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) {
        if (event.pointerType === "mouse") heard.point(placeOf(event));
        return;
      }
      drag({ event, surface, fingers, press, placeOf }, heard);
    });
    surface.addEventListener("pointerup", (event) => {
      const isTap = fingers.size === 1 && fingers.has(event.pointerId) && !press.wandered;
      fingers.delete(event.pointerId);
      if (isTap) heard.choose(placeOf(event));
    });
    surface.addEventListener("pointercancel", (event) => fingers.delete(event.pointerId));
    surface.addEventListener("pointerleave", () => heard.point(null));
    surface.addEventListener("dblclick", (event) => heard.zoom(event.shiftKey ? 1 / STEP : STEP, placeOf(event)));
    surface.addEventListener("wheel", (event) => wheel(event, placeOf(event), heard), { passive: false });
    surface.addEventListener("keydown", (event) => key(event, heard));
  }

  function down(event, surface, fingers, press) {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    surface.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 1) Object.assign(press, { start: [event.clientX, event.clientY], wandered: false });
    else press.wandered = true;
  }

  const distance = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]);

  function drag({ event, surface, fingers, press, placeOf }, heard) {
    const here = [event.clientX, event.clientY], before = fingers.get(event.pointerId);
    const side = surface.clientWidth, apart = fingers.size === 2 ? distance([...fingers.values()]) : 0;
    if (!press.wandered && distance([here, press.start]) < STILL) return;
    press.wandered = true;
    fingers.set(event.pointerId, here);
    const share = fingers.size === 2 ? 2 : 1; // the middle between two fingers moves half as far as one of them
    heard.pan([(before[0] - here[0]) / side / share, (before[1] - here[1]) / side / share]);
    if (apart) heard.zoom(distance([...fingers.values()]) / apart, middle([...fingers.values()], surface, placeOf));
  }

  const middle = ([a, b], surface, placeOf) => placeOf({ clientX: (a[0] + b[0]) / 2, clientY: (a[1] + b[1]) / 2 });

  // Lines and pages come in other units than pixels; a pinch on a trackpad comes as a wheel with Ctrl.
  function wheel(event, place, heard) {
    event.preventDefault();
    const pixels = event.deltaY * [1, 30, 400][event.deltaMode];
    heard.zoom(Math.exp(-Math.max(-300, Math.min(300, pixels)) * (event.ctrlKey ? 0.01 : 0.002)), place);
  }

  function key(event, heard) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key], closer = () => heard.zoom(STEP);
    const does = {
      "+": closer, "=": closer, "-": () => heard.zoom(1 / STEP),
      0: heard.whole, Home: heard.whole, "[": () => heard.finer(-1), "]": () => heard.finer(1), Escape: heard.leave,
    }[event.key];
    if (arrow && event.shiftKey) heard.pan([0.2 * arrow[1], 0.2 * arrow[0]]);
    else if (arrow) heard.step(arrow);
    else if (does) does();
    else return;
    event.preventDefault();
  }

  phosphene.gestures = { STEP, listen };
})();
