//! The identity header in the hands of a JWT library of another language: PyJWT, which gets the public keys by itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use wxgate_tests::Stack;

#[tokio::test]
async fn a_python_application_verifies_the_header_and_believes_no_other() {
    let stack = Stack::start().await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let identity = visitor.whoami().await;

    assert_eq!(verify(&stack, "shop", &identity.token).await.as_ref(), Ok(&identity.claims));
    assert!(verify(&stack, "another", &identity.token).await.unwrap_err().contains("InvalidAudienceError"));
    let (signed, signature) = identity.token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let forged = format!("{header}.eyJzdWIiOiJzb21lYm9keSBlbHNlIn0.{signature}");
    assert!(verify(&stack, "shop", &forged).await.unwrap_err().contains("InvalidSignatureError"));
    stack.finish().await;
}

#[tokio::test]
async fn a_python_application_verifies_eddsa_as_well() {
    let stack = Stack::builder()
        .config(|config| config["identity"]["keys"] = json!([{"alg": "EdDSA", "private_key": {"env": "WXGATE_SIGNING_KEY"}}]))
        .env("WXGATE_SIGNING_KEY", &ed25519_key())
        .start()
        .await;
    let visitor = stack.visitor();
    visitor.login("pc", "xiaoming").await.assert_status(200);
    let identity = visitor.whoami().await;

    assert_eq!(identity.header["alg"], "EdDSA");
    assert_eq!(verify(&stack, "shop", &identity.token).await.as_ref(), Ok(&identity.claims));
    stack.finish().await;
}

/// The claims that PyJWT reads, or its own words why it does not.
async fn verify(stack: &Stack, audience: &str, token: &str) -> Result<Value, String> {
    // Any host name will do for the keys, so the gate is asked where it listens.
    let keys = format!("http://{}/wxgate/jwks.json", stack.envoys[0].address);
    let mut python = Command::new(python());
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/pyjwt/verify.py"));
    python.args([&keys, &stack.origin, audience, token]).env("NO_PROXY", "*");
    let output = tokio::task::spawn_blocking(move || python.output()).await.unwrap().unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn ed25519_key() -> String {
    let make = "from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey as K\n\
                from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat\n\
                print(K.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())";
    String::from_utf8(python_venv::output(Command::new(python()).args(["-c", make])).stdout).unwrap()
}

fn python() -> PathBuf {
    python_with("pyjwt", "e2e/pyjwt/requirements.txt")
}

/// The interpreter of an environment with these requirements.
pub(crate) fn python_with(name: &str, requirements: &str) -> PathBuf {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join(requirements);
    python_venv::python(&requirements, &Path::new(env!("CARGO_TARGET_TMPDIR")).join(name))
}
