// One page for the three ways in which a mini program logs people in by wxgate. How it was opened says which:
//
//   opened by                   in the query   way      connector's type
//   a code on another screen    scene          scan     mini_program_qr
//   an app                      ticket         launch   app_to_mini_program
//   anything else                              mini     mini_program
//
// What is shown stands in `data`; index.wxml draws it. No secret of WeChat's comes here: a code goes out, wxgate asks WeChat.
const { gateway, connectors } = getApp().globalData;

// POST to wxgate. Resolves to its answer; a refusal is an Error with wxgate's name for it as `code`, and `answer`.
function post(path, body, token) {
  const header = { "content-type": "application/json" };
  if (token) header.authorization = `Bearer ${token}`;
  return new Promise((resolve, reject) => {
    const refuse = (code, message, answer) => reject(Object.assign(new Error(message), { code, answer }));
    wx.request({
      url: gateway + path,
      method: "POST",
      header,
      data: body,
      success: ({ statusCode, data }) => (statusCode === 200 ? resolve(data) : refuse(data.error || `status ${statusCode}`, data.message, data)),
      fail: ({ errMsg }) => refuse("no_answer", errMsg),
    });
  });
}

// 192 random bits in base64url.
async function randomText() {
  const { randomValues } = await wx.getRandomValues({ length: 24 });
  return wx.arrayBufferToBase64(randomValues).replace(/\+/g, "-").replace(/\//g, "_");
}

// What the phone-number button has given, where the person has allowed it.
const phoneCode = (event) => (event.detail.code ? { phone_code: event.detail.code } : {});

Page({
  data: { way: "", stage: "", error: "" },

  onLoad(query) {
    if (query.scene) {
      this.setData({ way: "scan" });
      return this.scanned(decodeURIComponent(query.scene));
    }
    this.ticket = query.ticket;
    this.setData({ way: query.ticket ? "launch" : "mini", stage: "ready" });
  },

  // mini_program_qr, step 1: the scan. It tells whose login this would be, and binds it to who has scanned it.
  async scanned(ticket) {
    const asked = await this.tried(async () => {
      const { code } = await wx.login();
      return post(`/scan/${connectors.scan}/confirm`, { ticket, code });
    });
    if (!asked) return;
    this.confirmation = asked.confirm;
    this.setData({
      stage: "asking",
      site: asked.origin,
      client: asked.client || "",
      address: asked.client_address || "",
      number: asked.number,
      phone: asked.phone_number,
    });
  },

  // Step 2: the person has compared the number, and agrees or not.
  agree(event) {
    return this.answered({ action: "confirm", ...phoneCode(event) });
  },
  cancel() {
    return this.answered({ action: "cancel" });
  },
  async answered(answer) {
    const done = await this.tried(() => post(`/scan/${connectors.scan}/confirm`, { confirm: this.confirmation, ...answer }));
    if (done) this.setData({ stage: done.state });
  },

  // app_to_mini_program: logs in for the app that has opened this page. `hand_back` is for that app alone: it goes into
  // `app-parameter` of the launchApp button, and nowhere else.
  async handBack(event) {
    const login = await this.tried(async () => {
      const { code } = await wx.login();
      return post(`/code/${connectors.launch}`, { ticket: this.ticket, code, ...phoneCode(event) });
    });
    if (login) this.setData({ stage: "logged_in", handBack: login.hand_back });
  },
  stayed() {
    this.setData({ error: "只能返回打开本页的 App" });
  },

  // mini_program: logs in here. With a nonce the same login may be asked for again when its answer was lost: it is still one.
  async logIn(event) {
    const session = await this.tried(async () => {
      const { code } = await wx.login();
      const body = { code, nonce: await randomText(), ...phoneCode(event) };
      const send = () => post(`/code/${connectors.mini}`, body);
      return send().catch((error) => (error.code === "no_answer" ? send() : Promise.reject(error)));
    });
    if (session) this.keep(session);
  },

  // The token is a password while it lasts: it stays in this mini program, and goes to its gateway alone.
  keep({ token, expires_at, user }) {
    wx.setStorageSync("wxgate", { token, expires_at });
    this.setData({ stage: "logged_in", user: user.sub, name: user.name || "" });
    return this.callApi();
  },

  // Any API behind the gateway: the token in `Authorization`, and the application gets the identity header.
  async callApi() {
    const { token } = wx.getStorageSync("wxgate");
    const url = gateway.replace(/\/wxgate$/, "/api/me");
    const { statusCode, data } = await new Promise((success, fail) =>
      wx.request({ url, header: { authorization: `Bearer ${token}` }, success, fail }));
    this.setData({ api: statusCode === 200 ? data : `status ${statusCode}: log in again` });
  },

  // Ends the session everywhere.
  async logOut() {
    const { token } = wx.getStorageSync("wxgate");
    if (!(await this.tried(() => post("/logout", {}, token)))) return;
    wx.setStorageSync("wxgate", "");
    this.setData({ stage: "ready", user: "", name: "", api: "" });
  },

  // A login that waits for its person: two accounts to choose from, or one that may exist already.
  async asked({ pending }) {
    this.pending = pending;
    const shown = await this.tried(() => post("/account", { pending, action: "show" }));
    if (shown) this.setData({ stage: "question", question: shown.login.question });
  },
  async answerQuestion(answer) {
    const session = await this.tried(() => post("/account", { pending: this.pending, ...answer }));
    if (session) this.keep(session);
  },
  choose(event) {
    return this.answerQuestion({ action: "choose", account: event.currentTarget.dataset.account });
  },
  create() {
    return this.answerQuestion({ action: "create" });
  },

  // Does something, and says what went wrong. A code of wx.login is good for one attempt, so each begins with a new one.
  async tried(something) {
    this.setData({ error: "" });
    try {
      return await something();
    } catch (error) {
      if (error.code === "choose_account" || error.code === "bind_account") return void (await this.asked(error.answer));
      // These are over; anything else may be tried again.
      if (["scan_over", "scan_taken", "launch_over", "launch_taken"].includes(error.code)) this.setData({ stage: "over" });
      this.setData({ error: `${error.code}: ${error.message}` });
      return undefined;
    }
  },
});
