//! Requests that leave the simulator: WeChat's pushes, and a phone's `wx.request`.

use url::Url;

use crate::simulator::Simulator;

impl Simulator {
    /// Changes where a request connects to, if the simulator was told so; tells the `Host` that it is sent with then.
    pub(crate) fn divert(&self, url: &mut Url) -> Result<Option<String>, String> {
        let meant = url.authority().to_owned();
        let Some((_, address)) = self.connect().iter().find(|(authority, _)| *authority == meant) else {
            return Ok(None);
        };
        let there = Url::parse(&format!("http://{address}")).map_err(|error| format!("{address}: {error}"))?;
        let is_set = url.set_host(there.host_str()).is_ok() && url.set_port(there.port()).is_ok();
        is_set.then_some(Some(meant)).ok_or_else(|| format!("{address} is no address of a server"))
    }
}
