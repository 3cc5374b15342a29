//! Private keys as OpenSSL, Java, Go and `wxgate keygen` write them: PKCS#8 (RFC 5958) in PEM (RFC 7468).
//!
//! Out of the text come 32 bytes, or nothing. No more of DER is read than such a key has, so a filter need not carry a parser for all of
//! it. Curve arithmetic, and whether the bytes are a key at all, is the signing libraries' business.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Algorithm;

/// The private half, and what the text says of the public one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PrivateKey {
    pub(super) secret: [u8; 32],
    /// Of an ES256 key that names it: the point, uncompressed (SEC 1, 2.3.3). To be compared.
    pub(super) public: Option<Vec<u8>>,
}

/// Reads the first `PRIVATE KEY` of the text; what stands around it, such as a public half, is no part of it.
///
/// Line breaks may be any white space, or `\n` written out: environment variables often cannot hold them.
pub(super) fn from_pem(algorithm: Algorithm, pem: &str) -> Option<PrivateKey> {
    let (_, rest) = pem.split_once(BEGIN)?;
    let (encoded, _) = rest.split_once(END)?;
    let encoded: String = encoded.replace("\\n", "").split_ascii_whitespace().collect();
    from_der(algorithm, &STANDARD.decode(encoded).ok()?)
}

/// Writes what [`from_pem`] and everybody else reads. `public` is needed for ES256 alone.
pub(super) fn to_pem(algorithm: Algorithm, secret: &[u8; 32], public: &[u8]) -> String {
    let key = match algorithm {
        Algorithm::Es256 => {
            let bits = [&[0], public].concat();
            let parts = [value(INTEGER, &[1]), value(OCTET_STRING, secret), value(EC_PUBLIC_KEY, &value(BIT_STRING, &bits))];
            value(SEQUENCE, &parts.concat())
        }
        Algorithm::EdDsa => value(OCTET_STRING, secret),
    };
    let parts = [value(INTEGER, &[0]), value(SEQUENCE, names(algorithm)), value(OCTET_STRING, &key)];
    let mut pem = format!("{BEGIN}\n");
    let mut encoded = STANDARD.encode(value(SEQUENCE, &parts.concat()));
    while !encoded.is_empty() {
        let rest = encoded.split_off(encoded.len().min(64));
        pem.extend([&encoded, "\n"]);
        encoded = rest;
    }
    pem + END + "\n"
}

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// Of RFC 5915's `ECPrivateKey`.
const EC_PARAMETERS: u8 = 0xa0;
const EC_PUBLIC_KEY: u8 = 0xa1;

/// `secp256r1`.
const P256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

/// What is in the `AlgorithmIdentifier` (RFC 5480 2.1.1, RFC 8410 3).
fn names(algorithm: Algorithm) -> &'static [u8] {
    match algorithm {
        Algorithm::Es256 => b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
        Algorithm::EdDsa => b"\x06\x03\x2b\x65\x70",
    }
}

fn from_der(algorithm: Algorithm, der: &[u8]) -> Option<PrivateKey> {
    let mut outermost = Der(der);
    let mut key = Der(outermost.take(SEQUENCE)?);
    outermost.end()?;
    let version = key.take(INTEGER)?;
    if !matches!(version, [0 | 1]) || key.take(SEQUENCE)? != names(algorithm) {
        return None;
    }
    // Attributes may follow, and the public half once more.
    let mut inner = Der(key.take(OCTET_STRING)?);
    match algorithm {
        Algorithm::Es256 => ec_private_key(inner.take(SEQUENCE)?),
        Algorithm::EdDsa => {
            let secret = inner.take(OCTET_STRING)?.try_into().ok()?;
            inner.end()?;
            Some(PrivateKey { secret, public: None })
        }
    }
}

/// RFC 5915: the curve and the public half may be named.
fn ec_private_key(content: &[u8]) -> Option<PrivateKey> {
    let mut key = Der(content);
    if key.take(INTEGER)? != [1] {
        return None;
    }
    let secret = key.take(OCTET_STRING)?.try_into().ok()?;
    if key.is_next(EC_PARAMETERS) && key.take(EC_PARAMETERS)? != P256 {
        return None;
    }
    let mut public = None;
    if key.is_next(EC_PUBLIC_KEY) {
        let bits = Der(key.take(EC_PUBLIC_KEY)?).take(BIT_STRING)?;
        public = Some(bits.strip_prefix(&[0])?.to_vec());
    }
    key.end()?;
    Some(PrivateKey { secret, public })
}

/// What is still to be read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn is_next(&self, tag: u8) -> bool {
        self.0.first() == Some(&tag)
    }

    /// The content of the next value, which has to be this. Lengths in the shortest spelling, as DER demands.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (length, rest) = match self.0 {
            [next, length @ ..=0x7f, rest @ ..] if *next == tag => (length, rest),
            // No part of such a key has 256 bytes.
            [next, 0x81, length @ 0x80..=0xff, rest @ ..] if *next == tag => (length, rest),
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(usize::from(*length))?;
        self.0 = rest;
        Some(content)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// The other way round; for contents of less than 256 bytes.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or_default();
    let head: &[u8] = if length < 0x80 { &[tag, length] } else { &[tag, 0x81, length] };
    [head, content].concat()
}

#[cfg(test)]
mod tests {
    use jwt_simple::prelude::*;
    use proptest::prelude::*;

    use super::*;

    /// `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256`
    const OPENSSL_EC: &str = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZBWDCfjgLCAn41ZD\n\
        spb0DiUfzKF1QngXHtrotLxuzvqhRANCAAQuBw5I4d4fBadnEfqZr849QBZjbqqq\n\
        vJZKuiDHgpkDoeCks1XIeqdbklV9hfQkZX7EXZyNRnc5YakXhg4wixIK\n\
        -----END PRIVATE KEY-----\n";
    /// The same key by `openssl pkcs8 -topk8 -nocrypt` after `openssl ec -no_public`.
    const WITHOUT_PUBLIC: &str = "-----BEGIN PRIVATE KEY-----\n\
        MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCBkFYMJ+OAsICfjVkOy\n\
        lvQOJR/MoXVCeBce2ui0vG7O+g==\n\
        -----END PRIVATE KEY-----\n";
    /// `openssl genpkey -algorithm ed25519`
    const OPENSSL_ED25519: &str = "-----BEGIN PRIVATE KEY-----\n\
        MC4CAQAwBQYDK2VwBCIEIODR4HnNwDiCOUv7vH9YqGQCXTNXMavMAANZYtzvXhQ2\n\
        -----END PRIVATE KEY-----\n";

    fn secret(algorithm: Algorithm, pem: &str) -> Option<[u8; 32]> {
        from_pem(algorithm, pem).map(|key| key.secret)
    }

    #[test]
    fn keys_of_openssl_are_read() {
        let named = from_pem(Algorithm::Es256, OPENSSL_EC).unwrap();
        assert_eq!(named.secret.as_slice(), ES256KeyPair::from_pem(OPENSSL_EC).unwrap().to_bytes());
        assert_eq!(named.public, Some(ES256KeyPair::from_pem(OPENSSL_EC).unwrap().public_key().public_key().to_bytes_uncompressed()));
        assert_eq!(from_pem(Algorithm::Es256, WITHOUT_PUBLIC), Some(PrivateKey { public: None, ..named }));
        let ed25519 = Ed25519KeyPair::from_pem(OPENSSL_ED25519).unwrap().to_bytes();
        assert_eq!(secret(Algorithm::EdDsa, OPENSSL_ED25519).unwrap(), ed25519[..32]);
    }

    #[test]
    fn what_is_written_is_read_by_others() {
        let pair = ES256KeyPair::from_pem(OPENSSL_EC).unwrap();
        let public = pair.public_key().public_key().to_bytes_uncompressed();
        assert_eq!(to_pem(Algorithm::Es256, pair.to_bytes().as_slice().try_into().unwrap(), &public), OPENSSL_EC);
        let ed25519 = secret(Algorithm::EdDsa, OPENSSL_ED25519).unwrap();
        assert_eq!(to_pem(Algorithm::EdDsa, &ed25519, &[]), OPENSSL_ED25519);
    }

    #[test]
    fn line_breaks_and_what_stands_around_make_no_difference() {
        let key = secret(Algorithm::Es256, OPENSSL_EC);
        for spelled in [
            OPENSSL_EC.replace('\n', "\\n"),
            OPENSSL_EC.replace('\n', "\r\n"),
            OPENSSL_EC.replace('\n', " "),
            format!("Bag Attributes\n    friendlyName: x\n{OPENSSL_EC}-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
        ] {
            assert_eq!(secret(Algorithm::Es256, &spelled), key, "{spelled:?}");
        }
    }

    #[test]
    fn a_key_for_something_else_is_refused() {
        assert_eq!(from_pem(Algorithm::EdDsa, OPENSSL_EC), None);
        assert_eq!(from_pem(Algorithm::Es256, OPENSSL_ED25519), None);
        for text in [
            "",
            "wxgate",
            "-----BEGIN PRIVATE KEY-----",
            &OPENSSL_EC.replace("PRIVATE", "EC PRIVATE"),
            &OPENSSL_EC.replace("PRIVATE", "PUBLIC"),
        ] {
            assert_eq!(from_pem(Algorithm::Es256, text), None, "{text:?}");
        }
    }

    #[test]
    fn a_key_that_was_cut_or_that_has_more_is_refused() {
        for (algorithm, pem) in [(Algorithm::Es256, OPENSSL_EC), (Algorithm::Es256, WITHOUT_PUBLIC), (Algorithm::EdDsa, OPENSSL_ED25519)] {
            let encoded: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            let der = STANDARD.decode(encoded).unwrap();
            assert!(from_der(algorithm, &der).is_some());
            for length in 0..der.len() {
                assert_eq!(from_der(algorithm, &der[..length]), None, "{length}");
            }
            assert_eq!(from_der(algorithm, &[der, vec![0]].concat()), None);
        }
    }

    #[test]
    fn lengths_have_one_spelling() {
        assert_eq!(Der(b"\x04\x01A").take(OCTET_STRING), Some(b"A".as_slice()));
        for content in [b"\x04\x81\x01A".as_slice(), b"\x04\x80A\0\0", b"\x04\x82\0\x01A", b"\x04\x02A", b"\x04", b""] {
            assert_eq!(Der(content).take(OCTET_STRING), None, "{}", content.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..138, byte in any::<u8>(), text in "\\PC*") {
            let encoded: String = OPENSSL_EC.lines().filter(|line| !line.starts_with('-')).collect();
            let mut der = STANDARD.decode(encoded).unwrap();
            if let Some(place) = der.get_mut(at) {
                *place = byte;
            }
            for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
                let _ = from_der(algorithm, &bytes);
                let _ = from_der(algorithm, &der);
                let _ = from_pem(algorithm, &text);
                let _ = from_pem(algorithm, &format!("{BEGIN}{text}{END}"));
            }
        }
    }
}
