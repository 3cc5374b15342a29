//! Open data: what WeChat tells a mini program about its person under the key of their `wx.login`, and lets the mini program
//! carry (WeChat documents, "Verifying and decrypting open data"). Nothing signs it, so it is believed for a phone number
//! alone, and only where it says that it is for our app and of this minute; never for who the person is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::blocks;
use crate::secret::Secret;

/// Seconds by which the watermark may differ from our clock, in both directions.
const MAX_AGE: u64 = 300;

/// As the mini program sends it. It has no `Debug`: it holds somebody's phone number.
pub struct Sealed {
    /// `encryptedData`.
    pub data: String,
    /// `iv`.
    pub iv: String,
}

impl Sealed {
    /// The phone number in E.164. One answer, `None`, for everything that is wrong with it, and after the same work wherever
    /// the padding is: there is nothing to be learnt from trying.
    pub fn phone_number(&self, session_key: &Secret, app_id: &str, now: u64) -> Option<String> {
        let (key, iv) = (STANDARD.decode(session_key.expose()).ok()?, STANDARD.decode(&self.iv).ok()?);
        let data = blocks::decrypted::<cbc::Decryptor<aes::Aes128>>(&key, &iv, STANDARD.decode(&self.data).ok()?)?;
        let (plaintext, is_right) = blocks::unpadded(&data, 16);
        let info: Option<Value> = serde_json::from_slice(plaintext).ok();
        let number = info.filter(|info| is_of_this_minute(info, now)).and_then(|info| phone_number(&info, app_id));
        number.filter(|_| is_right.into())
    }
}

fn is_of_this_minute(info: &Value, now: u64) -> bool {
    let timestamp = info.get("watermark").and_then(|watermark| watermark.get("timestamp")).and_then(Value::as_u64);
    timestamp.is_some_and(|timestamp| timestamp.abs_diff(now) <= MAX_AGE)
}

/// The number of a `phone_info`, here and in the answer of `getuserphonenumber`, where it is for this app. `countryCode` is a
/// number in the documents and a text in the field; `phoneNumber` has it in front only sometimes, and has to say the same: open
/// data is not signed, and to change it in two places unseen is far more than twice as hard.
pub(super) fn phone_number(info: &Value, app_id: &str) -> Option<String> {
    if info.get("watermark")?.get("appid")?.as_str()? != app_id {
        return None;
    }
    let country = match info.get("countryCode")? {
        Value::String(code) => code.clone(),
        code => code.as_u64()?.to_string(),
    };
    let number = info.get("purePhoneNumber")?.as_str()?;
    let written: String = info.get("phoneNumber")?.as_str()?.chars().filter(char::is_ascii_digit).collect();
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_country = is_digits(&country) && country.len() <= 4 && !country.starts_with('0');
    // E.164 has 15 digits at most, and no telephone network numbers of fewer than 7 with its country's.
    let is_whole = is_country && is_digits(number) && (7..=15).contains(&(country.len() + number.len()));
    let says_so_twice = written == number || written.strip_prefix(country.as_str()) == Some(number);
    (is_whole && says_so_twice).then(|| format!("+{country}{number}"))
}

#[cfg(test)]
mod tests {
    use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
    use proptest::prelude::*;
    use serde_json::json;
    use sha2::{Digest, Sha256};

    use super::*;

    // WeChat's own demo, and a text under another key: its last byte, 40, is no padding.
    const V1_KEY: &str = "tiihtNczf5v6AKRyjwEUhQ==";
    const V1_IV: &str = "r7BXXKkLb8qrSNn05n0qiA==";
    const V1_DATA: &str = "CiyLU1Aw2KjvrjMdj8YKliAjtP4gsMZMQmRzooG2xrDcvSnxIMXFufNstNGTyaGS9uT5geRa0W4oTOb1WT7fJlAC+oNPdbB+3hVbJSRgv+4lGOETKUQz6OYStslQ142dNCuabNPGBzlooOmB231qMM85d2/fV6ChevvXvQP8Hkue1poOFtnEtpyxVLW1zAo6/1Xx1COxFvrc2d7UL/lmHInNlxuacJXwu0fjpXfz/YqYzBIBzD6WUfTIF9GRHpOn/Hz7saL8xz+W//FRAUid1OksQaQx4CMs8LOddcQhULW4ucetDf96JcR3g0gfRK4PC7E/r7Z6xNrXd2UIeorGj5Ef7b1pJAYB6Y5anaHqZ9J6nKEBvB4DnNLIVWSgARns/8wR2SiRS7MNACwTyrGvt9ts8p12PKFdlqYTopNHR1Vf7XjfhQlVsAJdNiKdYmYVoKlaRv85IfVunYzO0IKXsyl7JCUjCpoG20f0a04COwfneQAGGwd5oa+T8yO5hzuyDb/XcxxmK01EpqOyuxINew==";
    const V1B_KEY: &str = "7MG7jbTToVVRWRXVA885rg==";
    const V1B_IV: &str = "TarMFjnzHVxy8pdS93wQbw==";
    const V1B_DATA: &str = "BY6VOgcWbwGcyrunK0ECWI8rnDsT69DucZ+M78tc1aL9aM/3bEAHFYd4fu7kRjWhD4YfjObw44T9vUqKyHIjbKs6hvtEasZZEIW35x4a91xVgN48ZqZ7MTQqUlP13kDUlkuwYh+/8g8yceu4kNbjowYrhihx+SV7CfjKCveJ7TSepr5Z7aLv1o+rfeelfOwn++WN/YoQsuZ6S3L4fWlWe5DAAUnFUI6cJvxxCohVzbrVXhyH2AqQdSjH2WnMYFeaGFIbcoxMznlk7oEwFn+hBj63dyT/swdYQfEdzuyCBmKXy8d6l1RKVX6Y65coTD8kIlbr+FKsqYrXVUIUBSwehqYuOdhYWZ9Bntl5DWU1oqzAPCnMn2cAIoQpQPKP7IGSxMOvCNAMhVXbE7BvnWuVuGF+AM5tXAa9IVUhcMImGwLQqm4iV5uBd+5OcFObh3A4VJk9iBCBWSkBHa/rV9CVoY0bFv2F9/2Hv82++Ybl274=";

    const APP: &str = "wx0000000000000004";
    const KEY: [u8; 16] = [7; 16];
    const NOW: u64 = 1_700_000_000;

    fn decrypted(key: &str, iv: &str, data: &str) -> Vec<u8> {
        let bytes = |text: &str| STANDARD.decode(text).unwrap();
        blocks::decrypted::<cbc::Decryptor<aes::Aes128>>(&bytes(key), &bytes(iv), bytes(data)).unwrap()
    }

    /// `plaintext`, which has to fill its blocks, under the key of this person's login.
    fn sealed(plaintext: Vec<u8>) -> Sealed {
        let mut blocks: Vec<_> = plaintext.chunks_exact(16).map(|chunk| <[u8; 16]>::try_from(chunk).unwrap().into()).collect();
        cbc::Encryptor::<aes::Aes128>::new(&KEY.into(), &[9; 16].into()).encrypt_blocks(&mut blocks);
        Sealed { data: STANDARD.encode(blocks.concat()), iv: STANDARD.encode([9; 16]) }
    }

    fn padded(text: &str) -> Vec<u8> {
        let count = 16 - text.len() % 16;
        [text.as_bytes(), &vec![u8::try_from(count).unwrap(); count]].concat()
    }

    fn open(sealed: &Sealed) -> Option<String> {
        sealed.phone_number(&Secret::new(STANDARD.encode(KEY)), APP, NOW)
    }

    fn info(timestamp: u64) -> Value {
        json!({"phoneNumber": "13800138000", "purePhoneNumber": "13800138000", "countryCode": "86",
               "openId": "o-somebody-else", "watermark": {"timestamp": timestamp, "appid": APP}})
    }

    #[test]
    fn wechat_s_own_sample_decrypts_and_tells_no_phone_number() {
        let data = decrypted(V1_KEY, V1_IV, V1_DATA);
        let (plaintext, is_right) = blocks::unpadded(&data, 16);
        assert!(bool::from(is_right));
        assert_eq!((data.len(), plaintext.len()), (400, 393));
        let hash: String = Sha256::digest(plaintext).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hash, "3237d8a5dbd413523c194882c7156544d8a06e2afcc97383cc300c17bd09391b");
        let sample = Sealed { data: V1_DATA.into(), iv: V1_IV.into() };
        assert_eq!(sample.phone_number(&Secret::new(V1_KEY), "wx4f4bc4dec97d474b", 1_477_314_187), None, "a profile");
    }

    #[test]
    fn a_text_under_another_key_is_noticed_by_its_padding() {
        let data = decrypted(V1B_KEY, V1B_IV, V1B_DATA);
        assert_eq!(data.last(), Some(&40));
        assert!(!bool::from(blocks::unpadded(&data, 16).1));
        let sample = Sealed { data: V1B_DATA.into(), iv: V1B_IV.into() };
        assert_eq!(sample.phone_number(&Secret::new(V1B_KEY), APP, NOW), None);
    }

    #[test]
    fn a_number_counts_for_five_minutes_in_both_directions_and_for_our_app() {
        let of = |info: Value| open(&sealed(padded(&info.to_string())));
        for now in [NOW, NOW - 300, NOW + 300] {
            assert_eq!(of(info(now)).as_deref(), Some("+8613800138000"));
        }
        let with = |change: fn(&mut Value)| {
            let mut info = info(NOW);
            change(&mut info);
            info
        };
        let refused = [
            info(NOW - 301),
            info(NOW + 301),
            info(0),
            with(|info| info["watermark"]["appid"] = "wx0000000000000005".into()),
            with(|info| info["watermark"]["timestamp"] = "1700000000".into()),
            with(|info| info["watermark"]["timestamp"] = (-1).into()),
            with(|info| info["watermark"] = Value::Null),
            with(|info| info["purePhoneNumber"] = Value::Null),
            json!([]),
            json!("a"),
        ];
        for info in refused {
            assert_eq!(of(info.clone()), None, "{info}");
        }
    }

    #[test]
    fn whatever_is_wrong_the_answer_is_the_same() {
        let good = sealed(padded(&info(NOW).to_string()));
        assert!(open(&good).is_some());
        let raw = STANDARD.decode(&good.data).unwrap();
        let of = |data: &[u8]| Sealed { data: STANDARD.encode(data), iv: good.iv.clone() };
        let filled = |blank: char| {
            let text = info(NOW).to_string();
            let blanks = (3..19).find(|blanks| (text.len() + blanks).is_multiple_of(16)).unwrap();
            [text.as_bytes(), blank.to_string().repeat(blanks).as_bytes()].concat()
        };
        assert!(serde_json::from_slice::<Value>(&filled('\n')).is_ok() && !filled('\n').ends_with(b"\n\n\n\n\n\n\n\n\n\n"));
        let mut overlong = padded(&info(NOW).to_string());
        *overlong.last_mut().unwrap() = 17;
        let bad = [
            of(&[]),
            of(&raw[..15]),
            of(&[&raw[..], b"x"].concat()),
            of(&raw[..raw.len() - 16]),
            sealed(overlong),
            sealed(vec![0; 32]),
            sealed(padded("no JSON")),
            sealed(padded(&format!("{} ", "[".repeat(3000)))),
            // JSON may end with blanks and line feeds; padding may not.
            sealed(filled(' ')),
            sealed(filled('\n')),
            Sealed { data: "no base64!".into(), iv: good.iv.clone() },
            Sealed { data: good.data.clone(), iv: STANDARD.encode([9; 15]) },
            Sealed { data: good.data.clone(), iv: String::new() },
        ];
        for (index, bad) in bad.iter().enumerate() {
            assert_eq!(open(bad), None, "{index}");
        }
        for key in [String::new(), "no base64".into(), STANDARD.encode([7; 15]), STANDARD.encode([8; 16]), STANDARD.encode([7; 32])] {
            assert_eq!(good.phone_number(&Secret::new(key.as_str()), APP, NOW), None, "{key}");
        }
    }

    #[test]
    fn numbers_are_e_164_and_two_countries_never_merge() {
        let of = |country: Value, number: &str| {
            phone_number(
                &json!({"countryCode": country, "purePhoneNumber": number, "phoneNumber": number, "watermark": {"appid": APP}}),
                APP,
            )
        };
        assert_eq!(of("86".into(), "13800138000").as_deref(), Some("+8613800138000"));
        assert_eq!(of(86.into(), "13800138000").as_deref(), Some("+8613800138000"), "a number in the documents");
        assert_eq!(of("852".into(), "13800138000").as_deref(), Some("+85213800138000"));
        assert_eq!(of("852".into(), "91234567").as_deref(), Some("+85291234567"));
        let odd = [
            ("+86", "13800138000"),
            ("0086", "13800138000"),
            ("86", "+8613800138000"),
            ("86", "138 0013 8000"),
            (" 86", "13800138000"),
            ("", "8613800138000"),
            ("86138", "00138000"),
            ("86", ""),
            ("86", "1234"),
            ("86", "12345678901234"),
            ("86", "１３８００１３８０００"),
        ];
        for (country, number) in odd {
            assert_eq!(of(country.into(), number), None, "{country} {number}");
        }
        let written = |written: &str| {
            phone_number(
                &json!({"countryCode": "852", "purePhoneNumber": "91234567", "phoneNumber": written, "watermark": {"appid": APP}}),
                APP,
            )
        };
        for (text, is_the_same) in
            [("+85291234567", true), ("852-9123 4567", true), ("91234567", true), ("+8691234567", false), ("", false)]
        {
            assert_eq!(written(text).is_some(), is_the_same, "{text}");
        }
        for country in [json!(-86), json!(8.6), json!(null), json!(["86"]), json!(true)] {
            assert_eq!(of(country.clone(), "13800138000"), None, "{country}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(data in "[A-Za-z0-9+/=]{0,200}", iv in "[A-Za-z0-9+/=]{0,30}", key in ".{0,30}") {
            prop_assert_eq!(Sealed { data, iv }.phone_number(&Secret::new(key), APP, NOW), None);
        }

        #[test]
        fn no_plaintext_makes_it_panic(blocks in proptest::collection::vec(any::<[u8; 16]>(), 1..6)) {
            prop_assert_eq!(open(&sealed(blocks.concat())), None);
        }

        #[test]
        fn any_changed_bit_of_the_data_is_noticed_or_harmless(at in 0usize..10_000, flip in 1u8..=255) {
            let good = sealed(padded(&info(NOW).to_string()));
            let mut raw = STANDARD.decode(&good.data).unwrap();
            let at = at % raw.len();
            raw[at] ^= flip;
            // What is not signed can be changed by whoever has the key's owner at hand; it must still be a number.
            if let Some(number) = open(&Sealed { data: STANDARD.encode(raw), iv: good.iv }) {
                prop_assert!(number.starts_with('+') && number[1..].bytes().all(|byte| byte.is_ascii_digit()));
            }
        }
    }
}
