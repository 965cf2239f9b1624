"use strict";
// Sheets of pictures, read while they are looked for: a few at once, the nearest first, and none that was passed by.
(() => {
  const { address } = phosphene;
  const AT_ONCE = 6;
  const KEPT_PIXELS = 64e6; // decoded, that is 256 MB

  // arrived(file) is called when a sheet can be shown, or cannot be read.
  function build(arrived) {
    const ready = new Map(), asked = new Map(), broken = new Set();
    let wanted = [];

    // files: what is looked at now, nearest first. What was wanted before and is not now is forgotten.
    function want(files) {
      for (const file of files) touch(file);
      wanted = files.filter((file) => !ready.has(file) && !asked.has(file) && !broken.has(file));
      next();
    }

    function touch(file) {
      const image = ready.get(file);
      if (!image) return;
      ready.delete(file);
      ready.set(file, image);
    }

    function next() {
      while (asked.size < AT_ONCE && wanted.length) ask(wanted.shift());
    }

    function ask(file) {
      const image = new Image();
      asked.set(file, image);
      const done = (isRead) => {
        asked.delete(file);
        if (isRead) keep(file, image);
        else broken.add(file);
        arrived(file);
        next();
      };
      image.onload = () => done(true);
      image.onerror = () => done(false);
      image.src = address(file);
    }

    function keep(file, image) {
      ready.set(file, image);
      let pixels = 0;
      for (const kept of ready.values()) pixels += kept.naturalWidth * kept.naturalHeight;
      for (const [old, kept] of ready) {
        if (pixels <= KEPT_PIXELS || old === file) break;
        pixels -= kept.naturalWidth * kept.naturalHeight;
        ready.delete(old);
      }
    }

    return { want, isReady: (file) => ready.has(file), isBroken: (file) => broken.has(file) };
  }

  phosphene.sheets = { build };
})();
