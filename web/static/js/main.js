/** Start of the page: who is there, then the sign-in form or the desk. */

import { signedIn, vocabulary } from "./api.js";
import { alarm } from "./announce.js";
import { fill } from "./dom.js";
import { learn } from "./names.js";
import { showPasswordForm, showSignIn } from "./signin.js";
import { showShell } from "./shell.js";
import { language, t } from "./texts.js";

const page = document.getElementById("page");

/** Show what the signed-in person may see, or ask who it is. */
async function enter(user) {
  if (!user) return showSignIn(page, enter);
  if (user.must_change) return showPasswordForm(page, user, enter);
  learn(await vocabulary());
  return showShell(page, user);
}

/** Wait a moment for Chinese letters: text drawn before they are there is not drawn again everywhere. */
function letters() {
  const loaded = document.fonts.load('1em "tuban zh"', "图").catch(() => null);
  return Promise.race([loaded, new Promise((done) => setTimeout(done, 2000))]);
}

async function start() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = t("title");
  document.addEventListener("signed-out", () => location.reload(), { once: true });
  try {
    const [user] = await Promise.all([signedIn(), letters()]);
    await enter(user);
  } catch (problem) {
    fill(page);
    alarm(problem);
  }
}

start();
