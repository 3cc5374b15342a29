(function () {
  "use strict";
  var page = document.getElementById("wx").dataset;

  function poll(last) {
    var script = document.createElement("script");
    var isDone = false;
    function finish(react) {
      if (isDone) { return; }
      isDone = true;
      clearTimeout(timer);
      script.remove();
      react();
    }
    var fail = function () { finish(function () { again(5000, last); }); };
    var timer = setTimeout(fail, 60000);
    window.wx_errcode = undefined;
    window.wx_code = "";
    script.onerror = fail;
    script.onload = function () { finish(function () { react(window.wx_errcode, window.wx_code); }); };
    script.src = "/connect/l/qrconnect?uuid=" + encodeURIComponent(page.uuid) + (last ? "&last=" + last : "") + "&_=" + Date.now();
    document.head.appendChild(script);
  }

  function again(pause, last) { setTimeout(function () { poll(last); }, pause); }

  function react(errcode, code) {
    switch (errcode) {
      case 404: show("wx_after_scan"); again(100, 404); break;
      case 405: go(code); break;
      case 403: show("wx_after_cancel"); refused(); again(2000, 403); break;
      case 402:
      case 500: location.reload(); break;
      default: again(2000);
    }
  }

  function show(id) {
    ["wx_default_tip", "wx_after_scan", "wx_after_cancel"].forEach(function (each) {
      document.getElementById(each).hidden = each !== id;
    });
  }

  function refused() {
    if (page.refusalRedirects === "true") { go(""); }
  }

  function go(code) {
    var url = page.redirectUri;
    url += (url.indexOf("?") > -1 ? "&" : "?") + (code && "code=" + code + "&") + "state=" + encodeURIComponent(page.state);
    var isFramed = window.top !== window;
    if (isFramed && page.selfRedirect !== "true") { window.top.location = url; } else { window.location = url; }
  }

  poll();
})();
