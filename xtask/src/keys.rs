//! Throw-away keys, made with openssl.

use std::{path::Path, process::Command};

use anyhow::Result;

use crate::{
    command::{command, on_path, output},
    setup::apt,
};

/// What the simulator's demo apps have (`wechat-sim --demo --demo-gateway …`).
pub(crate) const DEMO_APP_SECRETS: [(&str, &str); 6] = [
    ("WX_PC_SECRET", "0001demo0001demo0001demo0001demo"),
    ("WX_OA_SECRET", "0002demo0002demo0002demo0002demo"),
    ("WX_APP_SECRET", "0003demo0003demo0003demo0003demo"),
    ("WX_MINI_SECRET", "0004demo0004demo0004demo0004demo"),
    ("WX_OA_PUSH_TOKEN", "0002demo"),
    ("WX_OA_PUSH_KEY", "0002demo0002demo0002demo0002demo0002demo000"),
];

/// Everything secret that a filter reads from Envoy's environment, and what its operator needs.
pub(crate) struct Keys {
    session_key: String,
    signing_key: String,
    /// Shared with the resolver.
    pub(crate) resolver_token: String,
    /// Its operator's, for the resolver's admin API.
    pub(crate) admin_token: String,
}

impl Keys {
    /// Makes new ones.
    pub(crate) fn generate() -> Result<Self> {
        let session_key = output(openssl()?.args(["rand", "-base64", "32"]))?;
        // The output is PKCS#8 PEM.
        let signing_key = output(openssl()?.args(["genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]))?;
        let session_key = session_key.replace('+', "-").replace('/', "_").replace('=', "");
        let token = || output(openssl()?.args(["rand", "-hex", "32"]));
        Ok(Self { session_key, signing_key, resolver_token: token()?, admin_token: token()? })
    }

    /// Gives them to an Envoy, under the names that the configurations in envoy/ use.
    pub(crate) fn give_to(&self, envoy: &mut Command) {
        envoy.env("WXGATE_SESSION_KEY", &self.session_key);
        envoy.env("WXGATE_SIGNING_KEY", &self.signing_key);
        envoy.env("WXGATE_RESOLVER_TOKEN", &self.resolver_token);
        envoy.envs(DEMO_APP_SECRETS);
    }
}

/// Writes a self-signed certificate and its key.
pub(crate) fn certificate(host: &str, certificate: &Path, key: &Path) -> Result<()> {
    let mut req = openssl()?;
    req.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "7"]);
    req.args(["-subj", &format!("/CN={host}"), "-addext", &format!("subjectAltName=DNS:{host}")]);
    output(req.arg("-out").arg(certificate).arg("-keyout").arg(key)).map(drop)
}

fn openssl() -> Result<Command> {
    if on_path("openssl").is_none() {
        apt::install(&["openssl"], "openssl, to make throw-away keys")?;
    }
    Ok(command("openssl"))
}
