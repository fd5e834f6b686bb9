/** Frame of the desk: places, language, the person, help; one place is shown at a time. */

import { signOut } from "./api.js";
import { alarm } from "./announce.js";
import { button, fill, h, icon } from "./dom.js";
import { bind, listen, showHelp } from "./keyboard.js";
import { nameOf } from "./names.js";
import { places } from "./places.js";
import { address, route } from "./route.js";
import { language, speak, t } from "./texts.js";

/** Show the frame and the place of the address. */
export function showShell(page, user) {
  let main = h("main", { id: "main", tabindex: -1 });
  const offered = places.filter((place) => !place.roles || place.roles.includes(user.role));
  const nav = h("nav", { class: "places", "aria-label": t("places") });
  fill(page,
    h("a", { class: "skip", href: "#main", on: { click: (event) => { event.preventDefault(); main.focus(); } } }, t("skip")),
    h("header", { class: "top" },
      h("a", { class: "brand", href: address("review") },
        h("img", { src: "/static/icon.svg", alt: "", width: 26, height: 26 }), h("strong", {}, t("brand"))),
      nav, h("div", { class: "top-right" }, switcher(), helper(), person(user))),
    main);
  bind("?", "help.help", showHelp);
  listen();
  let leave = null;
  const go = async () => {
    const { place: name, query } = route();
    const place = offered.find((one) => one.name === name) ?? offered[0];
    fill(nav, offered.map((one) => h("a", { href: address(one.name), "aria-current": one === place && "page" }, t(one.title))));
    const own = h("main", { id: "main", tabindex: -1, class: `place-${place.name}`, "aria-busy": "true" });
    leave?.();
    leave = null;
    main.replaceWith(own); // a place that is still being asked for fills what nobody sees any more
    main = own;
    try {
      const { show } = await place.load();
      if (main !== own) return;
      const end = await show(own, { user, query });
      if (main === own) leave = end;
      else end?.();
    } catch (problem) {
      if (problem.status === undefined) throw problem;
      if (main === own) alarm(problem);
    } finally {
      own.removeAttribute("aria-busy");
    }
  };
  window.addEventListener("hashchange", go);
  return go();
}

function switcher() {
  const other = language === "zh" ? "en" : "zh";
  return button({ class: "on-dark", lang: other === "zh" ? "zh-CN" : "en", on: { click: () => speak(other) } },
    other === "zh" ? "中文" : "English");
}

function helper() {
  return button({ class: "on-dark", label: t("help.title"), on: { click: showHelp } }, icon("help"));
}

function person(user) {
  const where = user.division ? ` · ${user.division}` : "";
  return h("details", { class: "menu" },
    h("summary", { class: "on-dark" }, icon("user"), h("span", { class: "person" }, user.display || user.name)),
    h("div", { class: "menu-body" },
      h("p", {}, h("strong", {}, user.display || user.name), h("br"), h("span", { class: "muted" }, `${nameOf("roles", user.role)}${where}`)),
      button({ on: { click: async () => { await signOut(); location.reload(); } } }, t("sign.out"))));
}
