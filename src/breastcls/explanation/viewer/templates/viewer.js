"use strict";
(() => {
  const root = document.querySelector("[data-viewer]");
  const source = root && root.querySelector("script[type='application/json']");
  if (!source) { return; }
  const data = JSON.parse(source.textContent);

  // Elements are made here: text from outside becomes text only, never HTML.
  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "class") { element.className = value; }
      else if (name.startsWith("on")) { element.addEventListener(name.slice(2), value); }
      else if (value === true) { element.setAttribute(name, ""); }
      else if (value !== false && value !== null) { element.setAttribute(name, value); }
    }
    element.append(...children.filter((child) => child !== null && child !== ""));
    return element;
  };
  const say = (text) => { live.textContent = text; };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const percent = (value) => `${Math.round(100 * value)}%`;
  const unique = (values) => [...new Set(values)];

  const axes = ["model", "method", "target"].map((key) => ({ key, values: unique(data.maps.map((map) => map[key])) }));
  const names = { model: "Model", method: "Method", target: "Class explained" };
  const state = {
    model: data.maps[0].model, method: data.maps[0].method, target: data.maps[0].target,
    opacity: 0.6, shown: true, tissue: true, share: true, lines: false, colours: data.colours[0].name,
    sort: "given", errors: false, keys: true, scale: 1, x: 0.5, y: 0.5, open: -1,
  };

  // ---- Heat-maps: grey values, coloured at the resolution of the image
  const tables = Object.fromEntries(data.colours.map(({ name, table }) => [
    name, Uint8Array.from(table.match(/../g), (pair) => parseInt(pair, 16)),
  ]));
  const pictures = new Map();
  const picture = (address) => {
    if (!pictures.has(address)) {
      const own = address.startsWith("#") ? document.getElementById(address.slice(1)).src : address;
      const image = new Image();
      image.src = own;
      pictures.set(address, image.decode().then(() => image));
    }
    return pictures.get(address);
  };
  const pixels = (image, width, height, box) => {
    const canvas = make("canvas", { width, height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    const [left, top, wide, high] = box;
    context.drawImage(image, left * width, top * height, wide * width, high * height);
    return context.getImageData(0, 0, width, height).data;
  };
  const layers = new Map();
  const LAYERS = 40;

  const findMap = (image, wanted = state) => image.maps[data.maps.findIndex(
    (map) => map.model === wanted.model && map.method === wanted.method && map.target === wanted.target)] ?? null;

  const layer = async (image, map) => {
    const key = [image.number, map.number, state.tissue, state.share, state.lines, state.colours].join("|");
    if (layers.has(key)) { return layers.get(key); }
    const made = (async () => {
      const photo = await picture(image.src);
      const [width, height] = [photo.naturalWidth, photo.naturalHeight];
      const values = pixels(await picture(map.src), width, height, map.box);
      const glass = image.glass && state.tissue
        ? pixels(await picture(image.glass), width, height, [0, 0, 1, 1]) : null;
      const canvas = make("canvas", { width, height });
      const context = canvas.getContext("2d");
      const out = context.createImageData(width, height);
      paint(out.data, values, glass, width, height, state.share ? map.opacity : 1);
      context.putImageData(out, 0, 0);
      return canvas;
    })();
    layers.set(key, made);
    if (layers.size > LAYERS) { layers.delete(layers.keys().next().value); }
    return made;
  };

  const LEVELS = [64, 128, 191];
  const paint = (out, values, glass, width, height, strength) => {
    const table = tables[state.colours];
    const band = (value) => LEVELS.filter((level) => value >= level).length;
    const edge = Math.max(1, Math.round(Math.min(width, height) / 150));
    // The bands of the pixels right of and below this one, at a distance; beyond the edge that of the pixel itself.
    const bandsAt = (x, y, far) => [[x + far, y], [x, y + far], [x + far, y + far]].map(([column, row]) => band(
      values[4 * (Math.min(row, height - 1) * width + Math.min(column, width - 1))]));
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const at = 4 * (y * width + x);
        // Where the model had no input there is no value: a grey veil.
        if (values[at + 3] < 128) { out.set([200, 200, 200, 200], at); continue; }
        if (glass && glass[at] > 127) { continue; }
        const value = values[at];
        if (!state.lines) {
          out.set([table[3 * value], table[3 * value + 1], table[3 * value + 2], Math.round(value * strength)], at);
          continue;
        }
        const own = band(value);
        const near = bandsAt(x, y, edge);
        const highest = Math.max(own, ...near);
        if (highest > Math.min(own, ...near)) {
          const level = 3 * LEVELS[highest - 1];
          out.set([table[level], table[level + 1], table[level + 2], Math.round(255 * strength)], at);
        } else if ([...bandsAt(x, y, edge + 1), ...bandsAt(Math.max(x - 1, 0), Math.max(y - 1, 0), 0)]
          .some((other) => other !== own)) {
          // A dark border separates the line from pale tissue.
          out.set([30, 30, 30, Math.round(200 * strength)], at);
        }
      }
    }
  };

  // ---- Panes: canvases that share zoom and position
  const panes = new Map();
  const visible = new Set();
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) { visible.add(target); draw(target); } else { visible.delete(target); }
    }
  }, { rootMargin: "200px" });

  const draw = async (canvas) => {
    const pane = panes.get(canvas);
    if (!pane) { return; }
    const box = canvas.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.max(1, Math.round(box.width * ratio)), Math.max(1, Math.round(box.height * ratio))];
    const number = (pane.drawing = (pane.drawing ?? 0) + 1);
    const photo = await picture(pane.image.src);
    const map = pane.plain ? null : pane.map ? pane.image.maps[pane.map.number] : findMap(pane.image);
    const over = map && state.shown ? await layer(pane.image, map) : null;
    if (number !== pane.drawing) { return; }
    if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(state.scale, 0, 0, state.scale,
      width / 2 - state.x * width * state.scale, height / 2 - state.y * height * state.scale);
    context.imageSmoothingEnabled = state.scale * width < 3 * photo.naturalWidth;
    context.imageSmoothingQuality = "high";
    context.drawImage(photo, 0, 0, width, height);
    if (over) {
      context.globalAlpha = state.lines ? 1 : state.opacity;
      context.drawImage(over, 0, 0, width, height);
      context.globalAlpha = 1;
    }
    canvas.dataset.drawn = String(number);
  };
  const drawAll = () => { for (const canvas of visible) { draw(canvas); } };

  const zoomTo = (scale, x = 0.5, y = 0.5) => {
    const next = clamp(scale, 1, 16);
    // The point under the pointer stays where it is.
    const [left, top] = [state.x + (x - 0.5) / state.scale, state.y + (y - 0.5) / state.scale];
    state.scale = next;
    moveTo(left - (x - 0.5) / next, top - (y - 0.5) / next);
    root.classList.toggle("zoomed", next > 1);
    for (const text of zoomTexts) { text.textContent = `${next.toFixed(next < 10 ? 1 : 0)}×`; }
  };
  const moveTo = (x, y) => {
    const margin = 0.5 / state.scale;
    [state.x, state.y] = [clamp(x, margin, 1 - margin), clamp(y, margin, 1 - margin)];
    drawAll();
  };

  const makePane = (image, { plain = false, map = null } = {}) => {
    const canvas = make("canvas", { role: "img", tabindex: plain ? null : "-1" });
    canvas.style.aspectRatio = `${image.width} / ${image.height}`;
    panes.set(canvas, { image, plain, map });
    const fingers = new Map();
    const spread = () => {
      const [one, two] = [...fingers.values()];
      return Math.hypot(one[0] - two[0], one[1] - two[1]);
    };
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    canvas.addEventListener("wheel", (event) => {
      if (state.open < 0 && !event.ctrlKey && state.scale === 1) { return; }
      event.preventDefault();
      zoomTo(state.scale * Math.exp(-0.002 * event.deltaY), ...place(event));
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = fingers.get(event.pointerId);
      if (!before) { return; }
      const box = canvas.getBoundingClientRect();
      const apart = fingers.size === 2 ? spread() : 0;
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      if (fingers.size === 2) { zoomTo(state.scale * spread() / Math.max(apart, 1), ...place(event)); }
      else if (state.scale > 1) {
        moveTo(state.x - (event.clientX - before[0]) / box.width / state.scale,
          state.y - (event.clientY - before[1]) / box.height / state.scale);
      }
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
    }
    canvas.addEventListener("dblclick", (event) => {
      if (state.scale > 1) { zoomTo(1); } else { zoomTo(3, ...place(event)); }
    });
    watcher.observe(canvas);
    return canvas;
  };
  const forget = (element) => {
    for (const canvas of element.querySelectorAll("canvas")) {
      watcher.unobserve(canvas);
      panes.delete(canvas);
      visible.delete(canvas);
    }
  };

  // ---- Texts
  const prediction = (image) => image.predictions[state.model] ?? Object.values(image.predictions)[0];
  const isWrong = (image) => image.label !== null && prediction(image).predicted !== image.label;
  const probability = (image) => prediction(image).probabilities[data.classes.indexOf(prediction(image).predicted)];
  const positive = (image) => prediction(image).probabilities[data.classes.length - 1];
  const flags = data.flags;
  const evidence = (map) => map === null ? "No heat-map of this method and class." : flags[map.flag] ?? (
    `Positive share ${map.share.toFixed(2)}` +
    (state.share && map.opacity < 1 ? `, drawn at ${percent(map.opacity)} of full opacity` : "") +
    `; on glass ${map.onGlass.toFixed(2)}`);
  const describe = (image, map) => {
    const { predicted } = prediction(image);
    const truth = image.label === null ? "" : `, labelled ${image.label}`;
    const shown = map && state.shown ? `; ${map.title} for ${map.target}. ${evidence(map)}` : "; no heat-map shown";
    return `${image.name}: predicted ${predicted} ${probability(image).toFixed(2)}${truth}${shown}`;
  };
  const fillCaption = (caption, image, map) => {
    const wrong = isWrong(image);
    const about = [image.case === null ? "" : `case ${image.case}`, image.magnification ? `${image.magnification}×` : ""];
    caption.replaceChildren(
      make("p", { class: "predicted" },
        image.label === null ? "" : make("span", { class: wrong ? "wrong" : "right" }, wrong ? "✕ wrong" : "✓ correct"),
        " Predicted ", make("strong", {}, prediction(image).predicted), ` ${probability(image).toFixed(2)}`,
        image.label === null || !wrong ? "" : make("span", {}, ", labelled ", make("strong", {}, image.label))),
      make("p", {}, map === null ? "" : `Explained: ${map.target}. `, evidence(map)),
      make("p", { class: "muted" }, about.filter(Boolean).join(", ")),
      make("p", { class: "muted file" }, image.name));
  };

  // ---- Cards
  data.images.forEach((image, number) => {
    image.number = number;
    image.maps.forEach((map, place) => { if (map) { map.number = place; map.title = data.maps[place].method; } });
    const canvas = makePane(image);
    const caption = make("figcaption");
    const open = make("button", { type: "button", class: "open", onclick: () => openImage(number) }, "Enlarge");
    image.card = make("li", { "data-number": number }, make("figure", {}, canvas, open, caption));
    Object.assign(image, { canvas, caption });
    canvas.addEventListener("click", () => { if (state.scale === 1) { openImage(number); } });
  });

  const labelled = data.images.some((image) => image.label !== null);
  const SORTS = {
    given: ["as given", () => 0],
    ...(labelled
      ? { errors: ["errors first", (one, two) => isWrong(two) - isWrong(one) || probability(two) - probability(one)] } : {}),
    probability: [`probability of ${data.classes[data.classes.length - 1]}`, (one, two) => positive(two) - positive(one)],
    certainty: ["least certain first", (one, two) => probability(one) - probability(two)],
    share: ["least positive share first", (one, two) => (findMap(one)?.share ?? 2) - (findMap(two)?.share ?? 2)],
    ...(data.images.some((image) => image.case !== null)
      ? { case: ["case", (one, two) => String(one.case).localeCompare(String(two.case), "en", { numeric: true })] } : {}),
  };
  const arrange = () => {
    const order = data.images.filter((image) => !state.errors || isWrong(image))
      .sort((one, two) => SORTS[state.sort][1](one, two) || one.number - two.number);
    list.replaceChildren(...order.map((image) => image.card));
    state.order = order;
    count.textContent = order.length === data.images.length
      ? `${order.length} image${order.length === 1 ? "" : "s"}` : `${order.length} of ${data.images.length} images`;
    empty.hidden = order.length > 0;
  };
  const refresh = () => {
    for (const image of data.images) {
      const map = findMap(image);
      fillCaption(image.caption, image, map);
      image.canvas.setAttribute("aria-label", describe(image, map));
      image.card.querySelector(".open").setAttribute("aria-label", `Enlarge ${image.name}`);
    }
    drawAll();
    if (state.open >= 0) { fillDialog(); }
  };

  // ---- Controls
  const controls = {};
  const choose = (key, value) => {
    const changes = { [key]: value, ...nearestMap(key, value) };
    Object.assign(state, changes);
    for (const [name, chosen] of Object.entries(changes)) {
      for (const show of controls[name] ?? []) { show(chosen); }
    }
    if (["model", "sort", "errors"].some((name) => name in changes)) { arrange(); }
    refresh();
    return Object.keys(changes);
  };
  // Not every method has every class: then the others are changed to those of the nearest heat-map that exists.
  const nearestMap = (key, value) => {
    if (!axes.some((axis) => axis.key === key)) { return {}; }
    const others = axes.map((axis) => axis.key).filter((name) => name !== key);
    const shared = (map) => others.filter((name) => map[name] === state[name]).length;
    const [nearest] = data.maps.filter((map) => map[key] === value).sort((one, two) => shared(two) - shared(one));
    return Object.fromEntries(others.filter((name) => nearest[name] !== state[name]).map((name) => [name, nearest[name]]));
  };
  const select = (key, title, options, names = options) => {
    const control = make("select", { onchange: (event) => choose(key, event.target.value) },
      ...options.map((value, place) => make("option", { value }, names[place])));
    control.value = state[key];
    (controls[key] ??= []).push((shown) => { control.value = shown; });
    return make("label", { class: "control" }, make("span", {}, title), control);
  };
  const check = (key, title) => {
    const box = make("input", { type: "checkbox", onchange: (event) => choose(key, event.target.checked) });
    box.checked = state[key];
    (controls[key] ??= []).push((on) => { box.checked = on; });
    return make("label", { class: "check" }, box, title);
  };
  const button = (title, text, action) => make("button", { type: "button", "aria-label": title, title, onclick: action }, text);

  const live = make("div", { class: "unseen", role: "status", "aria-live": "polite" });
  const zoomTexts = [];
  const zoomControl = () => {
    const text = make("output", {}, "1.0×");
    zoomTexts.push(text);
    return make("div", { class: "control" }, make("span", {}, "Zoom ", text), make("div", { class: "buttons" },
      button("Zoom out", "−", () => zoomTo(state.scale / 1.5)), button("Zoom in", "+", () => zoomTo(state.scale * 1.5)),
      button("Whole image", "Whole", () => zoomTo(1))));
  };
  const count = make("span", { class: "count" });
  const empty = make("p", { hidden: true }, "No image is misclassified.");
  const sliders = [];
  const setOpacity = (value) => {
    state.opacity = clamp(value, 0, 1);
    for (const [slider, text] of sliders) {
      slider.value = String(Math.round(100 * state.opacity));
      text.textContent = percent(state.opacity);
    }
    drawAll();
  };
  const opacityControl = () => {
    const text = make("output", {}, percent(state.opacity));
    const slider = make("input", {
      type: "range", min: "0", max: "100", step: "1", value: "60",
      oninput: (event) => setOpacity(Number(event.target.value) / 100),
    });
    sliders.push([slider, text]);
    return make("label", { class: "control" }, make("span", {}, "Opacity ", text), slider);
  };
  const bar = make("canvas", { class: "bar", width: "256", height: "1", role: "img",
    "aria-label": "Colour scale from 0 to 1, scaled per image" });
  const drawBar = () => {
    const context = bar.getContext("2d");
    const strip = context.createImageData(256, 1);
    for (let value = 0; value < 256; value += 1) {
      strip.data.set([...tables[state.colours].slice(3 * value, 3 * value + 3), 255], 4 * value);
    }
    context.putImageData(strip, 0, 0);
  };

  const many = axes.filter((axis) => axis.values.length > 1);
  const mapControls = () => [
    ...many.map((axis) => select(axis.key, names[axis.key], axis.values)), opacityControl(), zoomControl(),
  ];
  const toolbar = make("div", { class: "toolbar", role: "group", "aria-label": "Heat-maps" },
    ...mapControls(),
    select("sort", "Sort", Object.keys(SORTS), Object.values(SORTS).map(([title]) => title)),
    make("details", { class: "more" }, make("summary", {}, "Options"), make("div", {},
      check("shown", "Heat-map"), check("lines", "Contour lines"), check("tissue", "On tissue only"),
      check("share", "Less opacity for little evidence"),
      labelled ? check("errors", "Errors only") : "",
      select("colours", "Colours", data.colours.map(({ name }) => name)),
      check("keys", "Keyboard shortcuts"), make("p", { class: "small" }, data.keys))));
  const scale = make("div", { class: "scale" }, make("span", {}, "0"), bar, make("span", {}, "1"),
    make("span", { class: "muted" }, data.scale), count);
  const list = make("ul", { class: "cards" });

  // ---- One image, enlarged: without and with each heat-map, and similar images
  const dialog = make("dialog", { "aria-label": "One image" });
  const body = make("div", { class: "enlarged" });
  dialog.append(make("div", { class: "dialog-bar" },
    make("div", { class: "buttons" }, button("Previous image", "←", () => step(-1)),
      button("Next image", "→", () => step(1))), ...mapControls(), make("span", { class: "place" }),
    button("Close", "Close", () => dialog.close())), body);
  const fillDialog = () => {
    const image = data.images[state.open];
    forget(body);
    const map = findMap(image);
    const caption = make("figcaption");
    fillCaption(caption, image, map);
    const pane = (title, options) => {
      const canvas = makePane(image, options);
      canvas.setAttribute("aria-label", `${title}, ${image.name}`);
      return make("figure", {}, canvas, make("figcaption", { class: "title" }, title));
    };
    const others = data.maps.map((one, number) => ({ ...one, number }))
      .filter((one) => image.maps[one.number] && image.maps[one.number] !== map);
    const probabilities = prediction(image).probabilities;
    body.replaceChildren(
      make("div", { class: "pair" }, pane("Image", { plain: true }),
        pane(map ? [map.title, map.target, state.model].filter(Boolean).join(" · ") : "No heat-map")),
      caption,
      make("dl", { class: "probabilities" }, ...data.classes.map((name, place) => make("div", {},
        make("dt", {}, name), make("dd", {}, make("meter", { min: "0", max: "1", value: probabilities[place],
          "aria-label": `Probability of ${name}` }), probabilities[place].toFixed(3))))),
      others.length ? make("h3", {}, "Other heat-maps of this image") : "",
      make("div", { class: "others" }, ...others.map((one) => pane(
        [one.method, image.maps[one.number].target, one.model].filter(Boolean).join(" · "), { map: one }))),
      ...similar(image));
    const place = state.order.indexOf(image);
    dialog.querySelector(".place").textContent = `${place + 1} of ${state.order.length}`;
  };
  const similar = (image) => !image.similar ? [] : [
    make("h3", {}, "Most similar training images, of other cases"),
    make("p", { class: "muted small" }, image.similar.length ? data.similar : "The index has no image of another case."),
    make("ul", { class: "similar" }, ...image.similar.map((one) => make("li", {}, make("figure", {},
      one.src ? make("img", { src: one.src, alt: `Training image ${one.name}, ${one.label ?? "no label"}` }) : "",
      make("figcaption", {}, make("strong", { class: one.label === prediction(image).predicted ? "same" : "other" },
        one.label ?? "no label"), ` distance ${one.distance.toFixed(3)}`,
      one.case ? make("span", { class: "muted" }, `case ${one.case}`) : "", make("span", { class: "muted file" }, one.name))))))];
  const openImage = (number) => {
    state.open = number;
    if (!dialog.open) { dialog.showModal(); }
    fillDialog();
    say(describe(data.images[number], findMap(data.images[number])));
  };
  const step = (by) => {
    const place = state.order.indexOf(data.images[state.open]) + by;
    if (state.order[place]) { openImage(state.order[place].number); }
  };
  dialog.addEventListener("close", () => {
    const image = data.images[state.open];
    state.open = -1;
    forget(body);
    body.replaceChildren();
    image.card.querySelector(".open").focus();
    drawAll();
  });

  // ---- Keyboard
  const cycle = (key, by) => {
    const values = axes.find((axis) => axis.key === key).values;
    if (values.length === 1) { say(`${names[key]}: there is only one`); return; }
    const changed = choose(key, values[(values.indexOf(state[key]) + by + values.length) % values.length]);
    say(changed.map((name) => `${names[name]}: ${state[name]}`).join(", "));
  };
  const focusCard = (by) => {
    const now = document.activeElement.closest?.("li[data-number]");
    const place = now ? state.order.findIndex((image) => image.card === now) + by : 0;
    state.order[place]?.card.querySelector(".open").focus();
  };
  const toggle = (key, text) => { choose(key, !state[key]); say(`${text}: ${state[key] ? "on" : "off"}`); };
  const pan = (x, y) => moveTo(state.x + 0.1 * x / state.scale, state.y + 0.1 * y / state.scale);
  const KEYS = {
    ArrowLeft: () => (state.open >= 0 ? step(-1) : focusCard(-1)), ArrowRight: () => (state.open >= 0 ? step(1) : focusCard(1)),
    m: () => cycle("method", 1), M: () => cycle("method", -1), c: () => cycle("target", 1), C: () => cycle("target", -1),
    v: () => cycle("model", 1), V: () => cycle("model", -1), o: () => toggle("shown", "Heat-map"),
    l: () => toggle("lines", "Contour lines"), g: () => toggle("tissue", "On tissue only"),
    "[": () => setOpacity(state.opacity - 0.1), "]": () => setOpacity(state.opacity + 0.1),
    "+": () => zoomTo(state.scale * 1.5), "=": () => zoomTo(state.scale * 1.5), "-": () => zoomTo(state.scale / 1.5),
    0: () => zoomTo(1), h: () => pan(-1, 0), j: () => pan(0, 1), k: () => pan(0, -1), ";": () => pan(1, 0),
    s: () => {
      const sorts = Object.keys(SORTS);
      choose("sort", sorts[(sorts.indexOf(state.sort) + 1) % sorts.length]);
      say(`Sorted: ${SORTS[state.sort][0]}`);
    },
  };
  document.addEventListener("keydown", (event) => {
    const inside = root.contains(event.target) || (root.dataset.viewer === "page" && event.target === document.body);
    const typing = event.target.matches?.("select, input:not([type='checkbox']), textarea");
    if (!state.keys || !inside || typing || event.ctrlKey || event.altKey || event.metaKey) { return; }
    const action = KEYS[event.key];
    if (action) { event.preventDefault(); action(); }
  });
  window.addEventListener("resize", drawAll);

  root.append(toolbar, scale, list, empty, dialog, live);
  root.classList.add("ready");
  arrange();
  controls.colours.push(drawBar);
  drawBar();
  refresh();
})();
