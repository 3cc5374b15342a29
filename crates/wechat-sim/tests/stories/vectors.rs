//! Known answers for everything that is encrypted or signed, from `tests/vectors.txt`.

use wechat_sim::crypto::{CryptoError, open_data, push};

/// A vector's value; `\n` in it stands for a line feed.
fn vector(name: &str) -> String {
    let prefix = format!("{name} = ");
    let mut lines = include_str!("../vectors.txt").lines();
    let value = lines.find_map(|line| line.strip_prefix(&prefix)).unwrap_or_else(|| panic!("no vector {name}"));
    value.replace("\\n", "\n")
}

#[test]
fn open_data_is_tencents() {
    let [key, iv, encrypted, plaintext] = ["V1.session_key", "V1.iv", "V1.encryptedData", "V1.plaintext"].map(vector);
    assert_eq!(open_data::decrypt(&key, &iv, &encrypted).unwrap(), plaintext.as_bytes());
    assert_eq!(open_data::encrypt(&key, &iv, &plaintext).unwrap(), encrypted);
    assert!(plaintext.contains(&vector("V1.appid")), "the watermark");
}

#[test]
fn open_data_under_another_key_is_refused_for_its_padding() {
    let [key, iv, encrypted] = ["V1b.session_key", "V1b.iv", "V1b.encryptedData"].map(vector);
    assert_eq!(open_data::decrypt(&key, &iv, &encrypted), Err(CryptoError::Padding));
}

#[test]
fn raw_data_is_signed_with_the_keys_text() {
    let [raw, key, signature] = ["V2.rawData", "V2.session_key", "V2.signature"].map(vector);
    assert_eq!(open_data::raw_data_signature(&raw, &key), signature);
}

#[test]
fn a_session_is_signed_with_the_keys_text() {
    for (key, message, signature) in [
        ("o0q0otL8aEzpcZL/FT9WsQ==", r#"{"foo":"bar"}"#, "654571f79995b2ce1e149e53c0a33dc39c0a74090db514261454e8dbe432aa0b"),
        ("o0q0otL8aEzpcZL/FT9WsQ==", "", "46e043c5525c2d817c44be603d30837a808a1d930d038f6fdc3e62a201fed128"),
        ("tiihtNczf5v6AKRyjwEUhQ==", "", "7154f9f8b4b76b92f541cbf0e37d48840fa06e5e42da92a6f80168a1516a4735"),
    ] {
        assert_eq!(open_data::session_signature(key, message).unwrap(), signature);
    }
}

#[test]
fn pushed_messages_are_tencents_in_both_directions() {
    let shared = ["V3.encodingAESKey", "V3.random16", "V3.appid"].map(vector);
    let [v3, v3_long] = [["V3.msg", "V3.encrypt"], ["V3L.msg", "V3L.encrypt"]].map(|names| names.map(vector));
    let v4 = ["V4.encodingAESKey", "V4.random16", "V4.appid", "V4.msg", "V4.encrypt"].map(vector);
    let v5 = ["V5.encodingAESKey", "V5.random16", "V5.appid", "V5.msg", "V5.encrypt"].map(vector);
    let v5_reply = ["V5.encodingAESKey", "V5.reply_random16", "V5.appid", "V5.reply_msg", "V5.reply_encrypt"].map(vector);
    let with_shared = |[message, encrypted]: [String; 2]| {
        let [key, random, appid] = shared.clone();
        [key, random, appid, message, encrypted]
    };
    for [key, random, appid, message, encrypted] in [with_shared(v3), with_shared(v3_long), v4, v5, v5_reply] {
        assert_eq!(push::encrypt(&key, &random, &message, &appid).unwrap(), encrypted);
        assert_eq!(push::decrypt(&key, &encrypted, &appid).unwrap(), message);
        assert_eq!(push::decrypt(&key, &encrypted, "wx0000000000000001"), Err(CryptoError::AppId));
    }
}

#[test]
fn a_padding_of_nineteen_is_right() {
    let [key, encrypted, appid, message] = ["V5.encodingAESKey", "V5.encrypt", "V5.appid", "V5.msg"].map(vector);
    let padding = 224 - (16 + 4 + message.len() + appid.len());
    assert_eq!(padding, 19, "more than AES's own block");
    assert_eq!(push::decrypt(&key, &encrypted, &appid).unwrap(), message);
}

#[test]
fn signatures_are_over_parts_that_are_sorted_by_their_bytes() {
    let signature = |names: &[&str]| {
        let parts: Vec<String> = names.iter().map(|name| vector(name)).collect();
        push::signature(&parts.iter().map(String::as_str).collect::<Vec<_>>())
    };
    for v in ["V3", "V4", "V5"] {
        let [token, timestamp, nonce, encrypted] = ["token", "timestamp", "nonce", "encrypt"].map(|name| format!("{v}.{name}"));
        assert_eq!(signature(&[&token, &timestamp, &nonce]), vector(&format!("{v}.signature")));
        assert_eq!(signature(&[&token, &timestamp, &nonce, &encrypted]), vector(&format!("{v}.msg_signature")));
    }
    let reply = signature(&["V5.token", "V5.reply_timestamp", "V5.reply_nonce", "V5.reply_encrypt"]);
    assert_eq!(reply, vector("V5.reply_msg_signature"));
    let verification = push::signature(&["AAAAA", "1714036504", "1514711492"]);
    assert_eq!(verification, "f464b24fc39322e44b38aa78f5edd27bd1441696");
    assert_eq!(push::signature(&["AAAAA", "1714037059", "486452656"]), "899cf89e464efb63f54ddac96b0a0a235f53aa78");
}

#[test]
fn what_does_not_decrypt_says_why_and_stops_nothing() {
    let [key, encrypted, appid] = ["V5.encodingAESKey", "V5.encrypt", "V5.appid"].map(vector);
    assert_eq!(push::decrypt("short", &encrypted, &appid), Err(CryptoError::Key));
    for broken in ["", "AAAA", "not base64!", &encrypted[..40]] {
        assert_eq!(push::decrypt(&key, broken, &appid), Err(CryptoError::Ciphertext), "{broken}");
    }
    let shorter = &encrypted[..encrypted.len() - 24 - 4];
    assert!(push::decrypt(&key, shorter, &appid).is_err());
    let another = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
    assert!(push::decrypt(another, &encrypted, &appid).is_err());
    assert_eq!(open_data::decrypt("AAAA", "AAAA", "AAAA"), Err(CryptoError::Key));
}
