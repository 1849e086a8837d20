//! AMF0 (Adobe "Action Message Format -- AMF 0"): values of commands and data messages, read within
//! bounds of depth, number and length.

use bytes::{BufMut, BytesMut};

/// A value (§2.1). Associative arrays and typed objects read as objects, long strings and XML as
/// strings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Number(f64),
    Boolean(bool),
    String(String),
    /// In the order they stand in; a name may stand twice.
    Object(Vec<(String, Self)>),
    Array(Vec<Self>),
    /// Milliseconds since 1970.
    Date(f64),
    Null,
    Undefined,
}

/// Why values cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Amf0Error {
    /// A value ends before it is whole.
    #[error("AMF0 values are cut short")]
    CutShort,
    /// A type that no encoder has use for, as references, or none at all.
    #[error("AMF0 marker {0:#04x} is not supported")]
    Marker(u8),
    /// Objects within objects.
    #[error("AMF0 values are nested deeper than {MOST_DEPTH}")]
    Depth,
    /// Values of one message.
    #[error("there are more than {MOST_VALUES} AMF0 values in one message")]
    Values,
    /// A string longer than anyone needs.
    #[error("an AMF0 string has more than {MOST_STRING} bytes")]
    StringLength,
    /// All values of a message together.
    #[error("AMF0 values have more than {MOST_BYTES} bytes together")]
    Length,
}

/// Reads all values of a message.
///
/// # Errors
/// When a bound is passed or a value is broken.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Value>, Amf0Error> {
    if bytes.len() > MOST_BYTES {
        return Err(Amf0Error::Length);
    }
    let mut reader = Reader {
        rest: bytes,
        values: 0,
    };
    let mut values = Vec::new();
    while !reader.rest.is_empty() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

/// Writes a value. Names and strings of more than 65,535 bytes are cut.
pub(crate) fn write(value: &Value, output: &mut BytesMut) {
    match value {
        Value::Number(number) => {
            output.put_u8(marker::NUMBER);
            output.put_f64(*number);
        }
        Value::Boolean(is_true) => {
            output.put_u8(marker::BOOLEAN);
            output.put_u8((*is_true).into());
        }
        Value::String(text) => {
            output.put_u8(marker::STRING);
            write_text(text, output);
        }
        Value::Object(properties) => write_object(properties, output),
        Value::Array(values) => {
            output.put_u8(marker::STRICT_ARRAY);
            output.put_u32(u32::try_from(values.len()).unwrap_or_default());
            values.iter().for_each(|value| write(value, output));
        }
        Value::Date(time) => {
            output.put_u8(marker::DATE);
            output.put_f64(*time);
            output.put_u16(0);
        }
        Value::Null => output.put_u8(marker::NULL),
        Value::Undefined => output.put_u8(marker::UNDEFINED),
    }
}

fn write_object(properties: &[(String, Value)], output: &mut BytesMut) {
    output.put_u8(marker::OBJECT);
    for (name, value) in properties {
        write_text(name, output);
        write(value, output);
    }
    write_text("", output);
    output.put_u8(marker::OBJECT_END);
}

fn write_text(text: &str, output: &mut BytesMut) {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    output.put_u16(length);
    let text = text.as_bytes().iter().take(length.into());
    output.extend(text);
}

impl Value {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A property of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(properties) = self else {
            return None;
        };
        let mut properties = properties.iter();
        let found = properties.find(|(property, _)| property == name);
        found.map(|(_, value)| value)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl<const N: usize> From<[(&str, Self); N]> for Value {
    fn from(properties: [(&str, Self); N]) -> Self {
        let properties = properties.into_iter();
        let named = properties.map(|(name, value)| (name.to_owned(), value));
        Self::Object(named.collect())
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Read so far.
    values: usize,
}

impl<'a> Reader<'a> {
    /// `depth` is the number of objects and arrays around the value.
    fn value(&mut self, depth: usize) -> Result<Value, Amf0Error> {
        self.values = self.values.saturating_add(1);
        if self.values > MOST_VALUES {
            return Err(Amf0Error::Values);
        }
        match self.u8()? {
            marker::NUMBER => self.f64().map(Value::Number),
            marker::BOOLEAN => self.u8().map(|byte| Value::Boolean(byte != 0)),
            marker::STRING => self.text().map(Value::String),
            marker::OBJECT => self.properties(depth),
            marker::NULL => Ok(Value::Null),
            marker::UNDEFINED | marker::UNSUPPORTED => Ok(Value::Undefined),
            marker::ECMA_ARRAY => {
                self.u32()?; // A guess of the number; the end is marked as an object's is (§2.10).
                self.properties(depth)
            }
            marker::STRICT_ARRAY => self.array(depth),
            marker::DATE => self.date(),
            marker::LONG_STRING | marker::XML => self.long_text().map(Value::String),
            marker::TYPED_OBJECT => {
                self.text()?; // Its class.
                self.properties(depth)
            }
            unknown => Err(Amf0Error::Marker(unknown)),
        }
    }

    fn properties(&mut self, depth: usize) -> Result<Value, Amf0Error> {
        let depth = deeper(depth)?;
        let mut properties = Vec::new();
        loop {
            let name = self.text()?;
            if name.is_empty() && self.rest.first() == Some(&marker::OBJECT_END) {
                self.u8()?;
                return Ok(Value::Object(properties));
            }
            properties.push((name, self.value(depth)?));
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, Amf0Error> {
        let depth = deeper(depth)?;
        // Nothing is reserved for what is only announced.
        let count = self.u32()?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(depth)?);
        }
        Ok(Value::Array(values))
    }

    fn date(&mut self) -> Result<Value, Amf0Error> {
        let time = self.f64()?;
        self.array_of::<2>()?; // Time zone: reserved, not to be used (§2.13).
        Ok(Value::Date(time))
    }

    fn text(&mut self) -> Result<String, Amf0Error> {
        let length = self.array_of().map(u16::from_be_bytes)?;
        self.text_of(length.into())
    }

    fn long_text(&mut self) -> Result<String, Amf0Error> {
        let length = self.u32()?;
        self.text_of(usize::try_from(length).unwrap_or(usize::MAX))
    }

    /// Text that is no UTF-8 is not worth a connection: what is broken is replaced.
    fn text_of(&mut self, length: usize) -> Result<String, Amf0Error> {
        if length > MOST_STRING {
            return Err(Amf0Error::StringLength);
        }
        let split = self.rest.split_at_checked(length);
        let (text, rest) = split.ok_or(Amf0Error::CutShort)?;
        self.rest = rest;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], Amf0Error> {
        let split = self.rest.split_first_chunk::<N>();
        let (first, rest) = split.ok_or(Amf0Error::CutShort)?;
        self.rest = rest;
        Ok(*first)
    }

    fn u8(&mut self) -> Result<u8, Amf0Error> {
        self.array_of().map(u8::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Amf0Error> {
        self.array_of().map(u32::from_be_bytes)
    }

    fn f64(&mut self) -> Result<f64, Amf0Error> {
        self.array_of().map(f64::from_be_bytes)
    }
}

fn deeper(depth: usize) -> Result<usize, Amf0Error> {
    let depth = depth.saturating_add(1);
    if depth > MOST_DEPTH {
        return Err(Amf0Error::Depth);
    }
    Ok(depth)
}

/// Objects and arrays within each other.
const MOST_DEPTH: usize = 16;
/// Values of a message.
const MOST_VALUES: usize = 1_000;
/// Bytes of a string.
const MOST_STRING: usize = 8 * 1024;
/// Bytes of a message.
const MOST_BYTES: usize = 64 * 1024;

/// Type markers (§2.1).
mod marker {
    pub(super) const NUMBER: u8 = 0x00;
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const STRING: u8 = 0x02;
    pub(super) const OBJECT: u8 = 0x03;
    pub(super) const NULL: u8 = 0x05;
    pub(super) const UNDEFINED: u8 = 0x06;
    pub(super) const ECMA_ARRAY: u8 = 0x08;
    pub(super) const OBJECT_END: u8 = 0x09;
    pub(super) const STRICT_ARRAY: u8 = 0x0a;
    pub(super) const DATE: u8 = 0x0b;
    pub(super) const LONG_STRING: u8 = 0x0c;
    pub(super) const UNSUPPORTED: u8 = 0x0d;
    pub(super) const XML: u8 = 0x0f;
    pub(super) const TYPED_OBJECT: u8 = 0x10;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(values: &[Value]) -> BytesMut {
        let mut output = BytesMut::new();
        values.iter().for_each(|value| write(value, &mut output));
        output
    }

    #[test]
    fn arrays_typed_objects_and_long_strings_are_read_as_what_they_hold() {
        let bytes = [
            b"\x08\0\0\0\x63\0\x01a\x01\x01\0\0\x09".as_slice(),
            b"\x10\0\x01C\0\x01b\x05\0\0\x09",
            b"\x0c\0\0\0\x02hi",
            b"\x0b\0\0\0\0\0\0\0\0\0\0",
            b"\x0d",
        ]
        .concat();
        let values = read(&bytes).unwrap();
        let expected = [
            Value::from([("a", Value::Boolean(true))]),
            Value::from([("b", Value::Null)]),
            "hi".into(),
            Value::Date(0.0),
            Value::Undefined,
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn text_that_is_no_utf_8_is_replaced() {
        assert_eq!(read(b"\x02\0\x02a\xff"), Ok(vec!["a\u{fffd}".into()]));
    }

    /// What ends the process that reads it with `rml_amf0` 0.3.
    #[test]
    fn nested_values_are_refused_beyond_the_depth() {
        let object = b"\x03\0\x01a".as_slice();
        let array = b"\x0a\0\0\0\x01".as_slice();
        let ecma_array = b"\x08\0\0\0\x01\0\x01a".as_slice();
        for nest in [object, array, ecma_array] {
            let deepest = nest.repeat(MOST_DEPTH);
            assert_eq!(read(&deepest), Err(Amf0Error::CutShort));
            let deeper = nest.repeat(MOST_DEPTH + 1);
            assert_eq!(read(&deeper), Err(Amf0Error::Depth));
            let deepest_ever = nest.repeat(MOST_BYTES / nest.len());
            assert_eq!(read(&deepest_ever), Err(Amf0Error::Depth));
        }
    }

    #[test]
    fn numbers_of_values_and_bytes_are_bounded() {
        assert_eq!(read(&[marker::NULL; MOST_VALUES]).unwrap().len(), 1_000);
        assert_eq!(read(&[marker::NULL; 1_001]), Err(Amf0Error::Values));
        let announced = [b"\x0a\xff\xff\xff\xff".as_slice(), &[5; 2_000]].concat();
        assert_eq!(read(&announced), Err(Amf0Error::Values));
        assert_eq!(read(&vec![5; MOST_BYTES + 1]), Err(Amf0Error::Length));
        assert_eq!(read(b"\x0c\xff\xff\xff\xff"), Err(Amf0Error::StringLength));
    }

    #[test]
    fn references_and_amf3_are_refused() {
        for unknown in [0x04, 0x07, 0x09, 0x0e, 0x11, 0xff] {
            assert_eq!(read(&[unknown, 0, 0]), Err(Amf0Error::Marker(unknown)));
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        let simple = prop_oneof![
            any::<i32>().prop_map(|number| Value::Number(number.into())),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,20}".prop_map(Value::String),
            any::<i32>().prop_map(|time| Value::Date(time.into())),
            Just(Value::Null),
            Just(Value::Undefined),
        ];
        simple.prop_recursive(5, 40, 5, |inner| {
            let property = (".{1,9}", inner.clone());
            prop_oneof![
                prop::collection::vec(property, 0..5).prop_map(Value::Object),
                prop::collection::vec(inner, 0..5).prop_map(Value::Array),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_survive_the_round_trip(values in prop::collection::vec(values(), 0..5)) {
            prop_assert_eq!(read(&written(&values)), Ok(values));
        }

        #[test]
        fn values_cut_short_are_refused(value in values(), cut in any::<prop::sample::Index>()) {
            let whole = written(&[value]);
            let cut = cut.index(whole.len());
            prop_assert!(cut == 0 || read(&whole[..cut]).is_err());
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(0_u8..20, 0..300)) {
            let _ = read(&bytes);
        }
    }
}
