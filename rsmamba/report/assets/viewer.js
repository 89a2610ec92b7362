"use strict";
// Two layers of one scene on top of each other; a slider uncovers the upper one. Places are given in
// the address (#scene=0&row=0&col=512&size=256), so that links lead to them.
(() => {
  const holder = document.getElementById("scenes");
  if (!holder) return;
  const scenes = JSON.parse(holder.textContent);
  const find = (name) => document.getElementById(name);
  const stage = find("stage"), swipe = find("swipe"), divider = find("divider"), mark = find("mark");
  const panes = { left: find("left"), right: find("right") };
  const choices = { scene: find("scene"), left: find("left-layer"), right: find("right-layer") };
  const view = { scale: 1, x: 0, y: 0 };
  let current = 0, place = null;

  const size = () => ({ width: scenes[current].width, height: scenes[current].height });

  function draw() {
    // One scene pixel is view.scale screen pixels; a cell of a picture holds factor scene pixels.
    const factor = scenes[current].factor;
    for (const pane of Object.values(panes)) {
      const image = pane.querySelector("img");
      image.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale * factor})`;
      image.classList.toggle("crisp", view.scale * factor > 1);
    }
    const share = Number(swipe.value);
    panes.right.style.clipPath = `inset(0 0 0 ${share}%)`;
    divider.style.left = `${share}%`;
    mark.hidden = place === null;
    if (place) {
      mark.style.left = `${view.x + place.col * view.scale}px`;
      mark.style.top = `${view.y + place.row * view.scale}px`;
      mark.style.width = mark.style.height = `${place.size * view.scale}px`;
    }
  }

  function fit() {
    const { width, height } = size();
    view.scale = Math.min(stage.clientWidth / width, stage.clientHeight / height);
    view.x = (stage.clientWidth - width * view.scale) / 2;
    view.y = (stage.clientHeight - height * view.scale) / 2;
    draw();
  }

  function zoom(times, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    const scale = Math.min(40, Math.max(0.005, view.scale * times));
    view.x = x - (x - view.x) * scale / view.scale;
    view.y = y - (y - view.y) * scale / view.scale;
    view.scale = scale;
    draw();
  }

  function show(index) {
    current = index;
    choices.scene.value = String(index);
    for (const side of ["left", "right"]) {
      const layers = scenes[index].layers, wanted = choices[side].value;
      panes[side].querySelector("img").src = layers[wanted] || Object.values(layers)[0];
    }
  }

  function go() {
    const words = new URLSearchParams(location.hash.slice(1));
    const index = Number(words.get("scene"));
    if (!words.has("row") || !scenes[index]) return;
    place = { row: Number(words.get("row")), col: Number(words.get("col")), size: Number(words.get("size")) };
    show(index);
    view.scale = 0.6 * Math.min(stage.clientWidth, stage.clientHeight) / place.size;
    view.x = stage.clientWidth / 2 - (place.col + place.size / 2) * view.scale;
    view.y = stage.clientHeight / 2 - (place.row + place.size / 2) * view.scale;
    draw();
    stage.scrollIntoView({ block: "center" });
  }

  function drag(event) {
    const start = { x: event.clientX, y: event.clientY, viewX: view.x, viewY: view.y };
    const moves = event.target === divider;
    stage.setPointerCapture(event.pointerId);
    stage.classList.add("moving");
    const move = (next) => {
      if (moves) {
        const box = stage.getBoundingClientRect();
        swipe.value = 100 * (next.clientX - box.left) / box.width;
      } else {
        view.x = start.viewX + next.clientX - start.x;
        view.y = start.viewY + next.clientY - start.y;
      }
      draw();
    };
    const stop = () => {
      stage.classList.remove("moving");
      stage.removeEventListener("pointermove", move);
    };
    stage.addEventListener("pointermove", move);
    stage.addEventListener("pointerup", stop, { once: true });
    stage.addEventListener("pointercancel", stop, { once: true });
    event.preventDefault();
  }

  stage.addEventListener("pointerdown", drag);
  stage.addEventListener("wheel", (event) => {
    const box = stage.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
    event.preventDefault();
  }, { passive: false });
  swipe.addEventListener("input", draw);
  find("zoom-in").addEventListener("click", () => zoom(1.5));
  find("zoom-out").addEventListener("click", () => zoom(1 / 1.5));
  find("zoom-fit").addEventListener("click", fit);
  choices.scene.addEventListener("change", () => {
    place = null;
    show(Number(choices.scene.value));
    fit();
  });
  for (const side of ["left", "right"]) {
    choices[side].addEventListener("change", () => show(current));
  }
  window.addEventListener("hashchange", go);
  window.addEventListener("resize", draw);
  // A second click on the link of a place goes there again.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.place");
    if (link && link.hash === location.hash) go();
  });
  show(0);
  fit();
  go();
})();
