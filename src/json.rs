//! JSON objects of a few members.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// An object. serde_json's own macro writes a serializer's way through every value, which was 10 kB of the module.
macro_rules! object {
    ({$($name:literal: $value:expr),* $(,)?}) => {
        $crate::json::of(vec![$(($name, ::serde_json::Value::from($value))),*])
    };
}
pub(crate) use object;

/// An object of these members; those that are null are left out.
pub(crate) fn of(members: Vec<(&str, Value)>) -> Value {
    let mut object = Map::new();
    for (name, value) in members.into_iter().filter(|(_, value)| !value.is_null()) {
        object.insert(name.into(), value);
    }
    Value::Object(object)
}

/// Reads an object, member by member; what is not taken spoils all of it. So a name that stands twice can be refused: which of
/// the two counts would depend on the reader.
pub(crate) fn read<T: Default, V: DeserializeOwned>(object: &[u8], take: Take<T, V>) -> serde_json::Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(object);
    let read = reader.deserialize_map(Members(take))?;
    reader.end()?;
    Ok(read)
}

/// Takes a member, or does not.
type Take<T, V> = fn(&mut T, String, V) -> Option<()>;

struct Members<T, V>(Take<T, V>);

impl<'de, T: Default, V: Deserialize<'de>> Visitor<'de> for Members<T, V> {
    type Value = T;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut read = T::default();
        while let Some((name, value)) = map.next_entry()? {
            (self.0)(&mut read, name, value).ok_or_else(|| A::Error::custom("a member that is not taken"))?;
        }
        Ok(read)
    }
}
