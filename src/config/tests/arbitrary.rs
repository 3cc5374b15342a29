//! Whatever stands in it, a configuration compiles or is refused.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!compile(&bytes, &env).err().unwrap().is_empty());
    }

    /// Bytes of the sample changed, removed or doubled: a configuration or a list of problems, never neither.
    #[test]
    fn no_slip_of_the_pen_makes_it_panic(edits in proptest::collection::vec((any::<usize>(), 0u8..3, any::<u8>()), 1..6)) {
        let mut text = SAMPLE.as_bytes().to_vec();
        for (at, what, byte) in edits {
            let at = at % text.len();
            match what {
                0 => text[at] = byte,
                1 => drop(text.remove(at)),
                _ => text.insert(at, text[at]),
            }
        }
        prop_assert!(compile(&text, &env).err().is_none_or(|problems| !problems.is_empty()));
    }

    /// Values of the sample replaced by others of any kind.
    #[test]
    fn no_value_makes_it_panic(path in proptest::collection::vec(any::<usize>(), 1..6), value in any_json()) {
        let mut config = sample();
        let mut pointer = String::new();
        for step in path {
            match config.pointer(&pointer).unwrap() {
                Value::Array(items) if !items.is_empty() => pointer += &format!("/{}", step % items.len()),
                Value::Object(members) if !members.is_empty() => pointer += &format!("/{}", members.keys().nth(step % members.len()).unwrap()),
                _ => {}
            }
        }
        *config.pointer_mut(&pointer).unwrap() = value;
        prop_assert!(compile(config.to_string().as_bytes(), &env).err().is_none_or(|problems| !problems.is_empty()));
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "(https?://)?[a-z0-9.:\\[\\]/*@%;-]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof![any::<String>(), "(id|env|inline|keys|path_exact|access|origin)"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
