"use strict";
// As much of a mini program's world as logins need: App, Page, wx.login, wx.request, the phone-number button, launchApp, and
// of WXML view, text, block and button. A program without WXML has its `data` shown as a list, and its buttons are
// `buttons: [{text, tap, openType, appParameter}]`.
(() => {
  const opened = JSON.parse(document.getElementById("opened").textContent);
  const { visit } = opened;
  const element = (id) => document.getElementById(id);
  const toast = (text) => { element("toast").textContent = text; };
  const query = Object.fromEntries(visit.target.query.split("&").filter(Boolean).map((pair) => {
    const at = pair.indexOf("=");
    return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
  }));

  async function control(path, body) {
    const response = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  }

  // WeChat's functions take callbacks, and give a promise where there are none.
  function wechat(name, operation) {
    return (options = {}) => {
      const { success, fail, complete } = options;
      const result = operation(options).then((value) => ({ errMsg: `${name}:ok`, ...value }));
      if (!success && !fail && !complete) return result;
      result.then((value) => { success?.(value); complete?.(value); },
        (error) => { const refusal = { errMsg: `${name}:fail ${error.message}` }; fail?.(refusal); complete?.(refusal); });
      return undefined;
    };
  }

  const who = { appid: visit.target.appid, person: visit.person };
  const storage = new Map();
  const wx = {
    login: wechat("login", () => control("/sim/mini-program/login", who)),
    request: wechat("request", async ({ url, method = "GET", data, header = {} }) => {
      const sent = { url, method: method.toUpperCase(), header: { ...header }, data: "" };
      if (data !== undefined && sent.method === "GET") {
        sent.url += (url.includes("?") ? "&" : "?") + new URLSearchParams(data);
      } else if (data !== undefined) {
        sent.data = typeof data === "string" ? data : JSON.stringify(data);
        if (!Object.keys(header).some((name) => name.toLowerCase() === "content-type")) sent.header["content-type"] = "application/json";
      }
      const response = await control(`/sim/mini-program/visits/${visit.id}/request`, sent);
      try { response.data = JSON.parse(response.data); } catch { /* then it stays text, as in WeChat */ }
      return response;
    }),
    getEnterOptionsSync: () => ({
      path: visit.target.page, query, scene: visit.scene_number, referrerInfo: visit.from_app ? { appId: visit.from_app } : {},
    }),
    getAccountInfoSync: () => ({ miniProgram: { appId: visit.target.appid, envVersion: visit.target.env_version } }),
    setStorageSync: (key, value) => { storage.set(key, value); },
    getStorageSync: (key) => storage.get(key) ?? "",
    showToast: ({ title }) => toast(title),
    getRandomValues: wechat("getRandomValues", async ({ length }) => ({ randomValues: crypto.getRandomValues(new Uint8Array(length)).buffer })),
    arrayBufferToBase64: (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))),
  };
  wx.getLaunchOptionsSync = wx.getEnterOptionsSync;

  // The sheet in which a person gives or refuses the phone number.
  function phoneNumber() {
    return new Promise((resolve) => {
      const answer = (allow) => async () => {
        element("sheet").hidden = true;
        resolve(await control("/sim/mini-program/phone-number", { ...who, allow }));
      };
      const sheet = element("sheet");
      sheet.replaceChildren(paragraph("申请获取并验证你的手机号 · asks for your phone number"),
        button("允许 Allow", "allow", answer(true)), button("不允许 Refuse", "refuse", answer(false)));
      sheet.hidden = false;
    });
  }

  function paragraph(text) {
    const made = document.createElement("p");
    made.textContent = text;
    return made;
  }

  function button(text, kind, tap) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = kind;
    made.textContent = text;
    made.addEventListener("click", () => Promise.resolve(tap()).catch((error) => toast(error.message)));
    return made;
  }

  async function tapped(page, { tap, openType, appParameter, bindError, dataset = {} }) {
    const event = (type, detail) => ({ type, detail, currentTarget: { dataset } });
    if (openType === "getPhoneNumber") return page[tap](event("getphonenumber", await phoneNumber()));
    if (openType !== "launchApp") return page[tap](event("tap", {}));
    const parameter = typeof appParameter === "function" ? appParameter.call(page) : appParameter;
    try {
      await control(`/sim/mini-program/visits/${visit.id}/launch-app`, { app_parameter: String(parameter) });
      toast("已返回 App · back in the app");
    } catch (error) {
      page[bindError]?.({ type: "error", detail: { errMsg: "launchApp:fail invalid scene" } });
      toast(error.message);
    }
    return undefined;
  }

  // A name that `data` does not have is undefined, as in WeChat, and no error.
  function evaluate(expression, names) {
    const scope = new Proxy(names, { has: () => true, get: (target, name) => (name === Symbol.unscopables ? undefined : target[name]) });
    try {
      return new Function("scope", `with (scope) { return (${expression}); }`)(scope);
    } catch {
      return undefined;
    }
  }

  const shown = (value) => (value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
  const filled = (text, names) => text.replace(/\{\{(.*?)\}\}/gs, (_, expression) => shown(evaluate(expression, names)));
  const value = (text, names) => {
    const whole = /^\{\{(.*)\}\}$/s.exec(text);
    return whole && !whole[1].includes("}}") ? evaluate(whole[1], names) : filled(text, names);
  };

  function rendered(page, node, names) {
    if (node.nodeType === Node.TEXT_NODE) return [document.createTextNode(filled(node.data, names))];
    if (node.nodeType !== Node.ELEMENT_NODE) return [];
    const attribute = (name) => node.getAttribute(name) ?? undefined;
    if (attribute("wx:for") !== undefined && names.item === undefined) {
      return (value(attribute("wx:for"), names) ?? []).flatMap((item, index) => rendered(page, node, { ...names, item, index }));
    }
    if (attribute("wx:if") !== undefined && !value(attribute("wx:if"), names)) return [];
    const children = () => [...node.childNodes].flatMap((child) => rendered(page, child, names));
    if (node.tagName === "block") return children();
    if (node.tagName !== "button") {
      const made = document.createElement(node.tagName === "text" ? "span" : "div");
      made.className = attribute("class") ?? "";
      made.append(...children());
      return [made];
    }
    const data = [...node.attributes].filter(({ name }) => name.startsWith("data-"));
    const dataset = Object.fromEntries(data.map(({ name, value: text }) => [name.slice(5), value(text, names)]));
    return [button(filled(node.textContent, names).trim(), attribute("type") === "primary" ? "allow" : "refuse", () => tapped(page, {
      tap: attribute("bindgetphonenumber") ?? attribute("bindtap"), openType: attribute("open-type"), bindError: attribute("binderror"),
      appParameter: value(attribute("app-parameter") ?? "", names), dataset,
    }))];
  }

  const wxml = opened.wxml && new DOMParser().parseFromString(`<view xmlns:wx="wx">${opened.wxml}</view>`, "application/xml");

  function draw(page) {
    if (wxml) return element("buttons").replaceChildren(...rendered(page, wxml.documentElement, page.data));
    element("data").replaceChildren(...Object.entries(page.data).flatMap(([name, value]) => {
      const [term, text] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = name;
      text.textContent = typeof value === "string" ? value : JSON.stringify(value);
      text.dataset.field = name;
      return [term, text];
    }));
    const buttons = typeof page.buttons === "function" ? page.buttons() : page.buttons ?? [];
    return element("buttons").replaceChildren(...buttons.map((one) => button(one.text, one.kind ?? "allow", () => tapped(page, one))));
  }

  function Page(definition) {
    const page = { data: {}, ...definition, route: visit.target.page };
    page.data = { ...page.data };
    page.setData = (changes, done) => { Object.assign(page.data, changes); draw(page); done?.(); };
    draw(page);
    page.onLoad?.(query);
    page.onShow?.();
  }

  // Without a program of its own, the page of a developer's tools.
  const bare = () => Page({
    data: { query, scene: visit.scene_number, from_app: visit.from_app },
    ticket: "",
    async login() { this.setData({ login: (await wx.login()).code }); },
    number(event) { this.setData({ phone_number: event.detail }); },
    buttons: [
      { text: "wx.login", tap: "login" },
      { text: "getPhoneNumber", tap: "number", openType: "getPhoneNumber" },
      { text: "launchApp", openType: "launchApp", appParameter: () => window.prompt("app-parameter") ?? "" },
    ],
  });

  if (opened.program) {
    let app = { globalData: {} };
    const App = (definition) => { app = { globalData: {}, ...definition }; app.onLaunch?.(wx.getLaunchOptionsSync()); };
    new Function("wx", "Page", "App", "getApp", opened.program)(wx, Page, App, () => app);
  } else {
    bare();
  }
})();
