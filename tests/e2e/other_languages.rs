//! The identity header in the hands of a JWT library of another language: PyJWT, which gets the public keys by itself.
//! Needs `python3` with `venv`; without it these tests fail rather than pass unseen.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

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
    let mut python = Command::new(python().join("bin/python"));
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
    String::from_utf8(succeed(Command::new(python().join("bin/python")).args(["-c", make]).output()).stdout).unwrap()
}

/// A virtual environment with PyJWT, made by whichever test needs it first.
fn python() -> &'static Path {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/pyjwt/requirements.txt");
        let wanted = std::fs::read_to_string(&requirements).unwrap();
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pyjwt");
        let mark = place.join("requirements-installed.txt");
        if !std::fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
            succeed(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place).output());
            succeed(Command::new(place.join("bin/pip")).args(["install", "--quiet", "--requirement"]).arg(&requirements).output());
            std::fs::write(mark, wanted).unwrap();
        }
        place
    })
}

fn succeed(output: std::io::Result<Output>) -> Output {
    let output = output.unwrap_or_else(|error| panic!("python3 with venv is needed (Debian: python3-venv): {error}"));
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    output
}
