App({
  globalData: {
    // Where wxgate is. In WeChat's console it is a request domain (request 合法域名) of this mini program.
    gateway: "https://shop.example.com/wxgate",
    // What the filter's configuration calls the three ways in which this mini program logs people in.
    connectors: { mini: "mini", scan: "scan", launch: "launch" },
  },
});
